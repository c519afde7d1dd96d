"""Every node keeps a whole copy of the log, and nothing stays in it unless a checkpoint vouches for it."""

from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, tree_root
from audit.formats.quorum import QuorumMissing
from audit.formats.tile import TILE_HEIGHT, tiles_for
from audit.proofs.equivocation import verify_fork
from nodes.broker import ExchangeSilent
from nodes.node import Node
from nodes.witnessing.forks import EQUIVOCATION, LogStopped
from nodes.witnessing.mirror import Mirror
from nodes.witnessing.mirror_files import NotMirrored
from nodes.witnessing.mirror_walk import MENDED, MISMATCH, MirrorMismatch, downwards
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange


@pytest.fixture
def mirror(node: Node) -> Mirror:
    return node.mirror


def cosign(exchange: SimulatedExchange, node: Node) -> None:
    """Let the node's witness cosign what the log is now, as often as need be."""
    assert node.witness is not None
    old = node.witness.size()
    answer = node.witness.add_checkpoint(exchange.add_checkpoint_body(old))
    assert answer.status == 200, answer
    exchange.cosignatures = [answer.body.decode()]


def grow(exchange: SimulatedExchange, node: Node, count: int) -> None:
    exchange.grow(count)
    cosign(exchange, node)


def listed(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def wanted(size: int) -> set[str]:
    names = {"checkpoint"}
    for tile in tiles_for(size):
        names.add(tile.path)
        if tile.level == 0:
            names.add(tile.path.replace("tile/0/", "tile/entries/"))
    return names


def test_the_copy_is_a_static_log(node: Node, exchange: SimulatedExchange, mirror: Mirror) -> None:
    """A round brings every tile, every bundle and the checkpoint, and nothing else."""
    grow(exchange, node, 600)

    done = mirror.update()

    assert done.size == 603
    assert listed(mirror.files().folder) == wanted(603)
    assert mirror.files().note() == exchange.published()
    assert mirror.files().root(603) == tree_root(exchange.leaves)
    assert [leaf_hash(leaf) for _, leaf in mirror.files().entries(0)] == exchange.leaves
    assert [index for index, _ in mirror.files().entries(255)] == list(range(255, 603))


def test_a_later_round_fetches_what_is_new(node: Node, exchange: SimulatedExchange, mirror: Mirror) -> None:
    """A copy grows by what it lacks; the partial files it had give way to wider ones."""
    sizes = [3, 4, 255, 256, 257, 511, 512, 600]
    for size in sizes:
        grow(exchange, node, size - len(exchange.leaves)) if size > 3 else cosign(exchange, node)
        exchange.calls.clear()
        mirror.update()

        assert listed(mirror.files().folder) == wanted(size), size
        assert mirror.files().root(size) == tree_root(exchange.leaves)
    assert sum(path.startswith("/log/tile") for _, path in exchange.calls) <= 5
    exchange.calls.clear()
    assert mirror.update().fetched == 0


def test_every_older_root_can_be_read(node: Node, exchange: SimulatedExchange, mirror: Mirror) -> None:
    """The copy gives the root of every size below it, and says so where it does not reach."""
    grow(exchange, node, 300)
    mirror.update()

    for size in (0, 1, 2, 255, 256, 257, 303):
        assert mirror.files().root(size) == tree_root(exchange.leaves[:size])
    with pytest.raises(NotMirrored):
        mirror.files().root(304)


def test_only_a_quorum_is_copied(node: Node, exchange: SimulatedExchange, mirror: Mirror) -> None:
    """A checkpoint that too few witnesses cosigned is not copied."""
    exchange.grow(5)

    with pytest.raises(QuorumMissing):
        mirror.update()
    assert not mirror.files().folder.exists()


@pytest.mark.parametrize(
    "spoilt", ["tile/0/000", "tile/0/002.p/91", "tile/1/000.p/2", "tile/entries/000", "tile/entries/002.p/91"]
)
def test_a_file_that_does_not_fit_is_refused(
    node: Node,
    exchange: SimulatedExchange,
    mirror: Mirror,
    spoilt: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One wrong byte in any tile or bundle ends the round: the copy does not grow, and there is an alarm."""
    grow(exchange, node, 600)
    honest = exchange.log_file

    def lie(path: str) -> bytes:
        raw = honest(path)
        return raw[:-1] + bytes([raw[-1] ^ 1]) if path == spoilt else raw

    monkeypatch.setattr(exchange, "log_file", lie)

    with pytest.raises(MirrorMismatch):
        mirror.update()
    assert mirror.files().note() is None
    assert not (mirror.files().folder / spoilt).exists()
    assert [one.event_class for one in node.alarms.after()] == [MISMATCH]
    monkeypatch.setattr(exchange, "log_file", honest)
    assert mirror.update().size == 603


def test_a_round_that_was_cut_off_goes_on(
    node: Node, exchange: SimulatedExchange, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was verified before the connection broke is not fetched again."""
    grow(exchange, node, 600)
    honest = exchange.log_file

    def broken(path: str) -> bytes:
        if path == "tile/entries/001":
            raise httpx.ConnectError("broken off")
        return honest(path)

    monkeypatch.setattr(exchange, "log_file", broken)
    with pytest.raises(ExchangeSilent):
        mirror.update()
    monkeypatch.setattr(exchange, "log_file", honest)
    exchange.calls.clear()
    mirror.update()

    assert ("GET", "/log/tile/entries/000") not in exchange.calls
    assert ("GET", "/log/tile/0/000") not in exchange.calls
    assert listed(mirror.files().folder) == wanted(603)


@pytest.mark.parametrize("path", sorted(wanted(603)))
def test_bit_rot_is_noticed_and_mended(
    node: Node, exchange: SimulatedExchange, mirror: Mirror, path: str
) -> None:
    """A flipped byte in any file is found, the file is fetched again, and people are told."""
    grow(exchange, node, 600)
    mirror.update()
    place = mirror.files().folder / path
    good = place.read_bytes()
    place.write_bytes(good[:-3] + bytes([good[-3] ^ 4]) + good[-2:])

    mended = mirror.scrub().mended
    if path == "checkpoint":
        mirror.update()
    else:
        assert mended == (path,)

    assert place.read_bytes() == good
    assert [(one.event_class, one.facts["path"]) for one in node.alarms.after()] == [(MENDED, path)]
    assert mirror.scrub().mended == ()


def test_a_missing_file_comes_back(node: Node, exchange: SimulatedExchange, mirror: Mirror) -> None:
    """A file that is gone is fetched again, in as many small steps as it takes."""
    grow(exchange, node, 600)
    mirror.update()
    (mirror.files().folder / "tile/entries/001").unlink()

    steps = [mirror.scrub(limit=2) for _ in range(4)]

    assert sum(one.fetched for one in steps) == 1
    assert sum(one.checked for one in steps) >= len(list(downwards(603, 0)))
    assert listed(mirror.files().folder) == wanted(603)


def test_a_shrunk_log_leaves_the_copy_as_it_is(
    node: Node, exchange: SimulatedExchange, mirror: Mirror
) -> None:
    """An older checkpoint of the same history takes nothing away."""
    grow(exchange, node, 600)
    mirror.update()
    old, exchange.published = exchange.published, lambda: note  # type: ignore[method-assign]  # an old answer
    note = exchange.checkpoint(300) + b"".join(
        [node.witness._cosigner.cosign(text_of(exchange, 300), node.clock.now()).encode()]  # type: ignore[union-attr]  # a witness
    )

    assert mirror.update().size == 603
    exchange.published = old  # type: ignore[method-assign]  # as it was
    assert mirror.files().checkpoint() == Checkpoint(ORIGIN, 603, tree_root(exchange.leaves))


def text_of(exchange: SimulatedExchange, size: int) -> str:
    return str(Checkpoint(ORIGIN, size, tree_root(exchange.leaves[:size])))


def test_the_mirror_convicts_a_rewritten_log(node: Node, exchange: SimulatedExchange, mirror: Mirror) -> None:
    """A shorter history that contradicts the copy is proved without asking anybody."""
    grow(exchange, node, 600)
    mirror.update()
    exchange.leaves = [leaf_hash(b"rewritten"), *exchange.leaves[1:256]]
    exchange.down = True

    with pytest.raises(LogStopped):
        node.trust.see_checkpoint(exchange.checkpoint(256))

    evidence = list(node.home.evidence.iterdir())
    fork = verify_fork(evidence[0].read_bytes(), [exchange.signer.verifier_key])
    assert (fork.size, fork.other_size) == (256, 603)
    assert [one.event_class for one in node.alarms.after()] == [EQUIVOCATION]
    with pytest.raises(LogStopped):
        mirror.update()


@given(st.integers(0, 70_000), st.data())
def test_the_walk_names_every_new_file(size: int, data: st.DataObject) -> None:
    """Whatever the two sizes: the full tiles and the bundles that the smaller copy had not, each once."""
    since = data.draw(st.integers(0, size))
    places = list(downwards(size, since))

    had = {(tile.level, tile.n) for tile in tiles_for(since) if tile.width == 256}
    full = {(tile.level, tile.n) for tile in tiles_for(size) if tile.width == 256} - had
    bundles = {(-1, tile.n) for tile in tiles_for(size, since) if tile.level == 0}
    assert len(places) == len(set(places))
    assert set(places) == full | bundles | ({(-1, since >> TILE_HEIGHT)} if since < size else set()) or (
        size == since
    )


def test_files_are_the_owners_alone(node: Node, exchange: SimulatedExchange, mirror: Mirror) -> None:
    """Entries name participants: nobody else on the machine reads them."""
    grow(exchange, node, 10)
    mirror.update()

    modes = {place.stat().st_mode & 0o077 for place in mirror.folder.rglob("*")}
    assert modes == {0}
