"""Pulling releases, from the grant to the receipt, and what a crash or a liar in between leads to."""

from collections.abc import Callable
from pathlib import Path

import httpx
import polars as pl
import pytest
from sqlmodel import select

from contracts.errors import HeadwatersError
from contracts.messages import PurposeFields, Receipt
from nodes.broker import ExchangeSilent
from nodes.exclusive import Busy, exclusively
from nodes.node import Node
from nodes.publishing.artifacts import hash_file
from nodes.publishing.publish import own_releases
from nodes.receiving import download as downloading
from nodes.receiving import pull as pulling
from nodes.receiving.apply import NotSubscribed, own_subscriptions
from nodes.receiving.download import DownloadBroken
from nodes.receiving.judged import ContractBroken, DataAltered
from nodes.receiving.pull import BadFolder, FeedBroken, Pulled, PullOptions, proof_path, pull
from nodes.relay import ProviderLink
from nodes.sharing_tables import FetchRow, OutboxRow, ReceivedRow
from nodes.signed import peek_statement
from tests.nodes.sharing import DATASET, NARROW, PURPOSE, World, rows

NARROWED = {"purposes": [PURPOSE], "purpose_fields": [PurposeFields(purpose=PURPOSE, fields=NARROW)]}


def pulled(world: World, **options: object) -> Pulled:
    return pull(world.consumer, DATASET, PullOptions(connect=world.direct, **options))  # type: ignore[arg-type]


def visible(world: World) -> list[str]:
    """List what a person sees in the inbox."""
    folder = world.consumer.home.inbox / DATASET
    return sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))


def remembering(seen: list[bytes]) -> Callable[[bytes], bytes]:
    """Give a wire that keeps what passes over it."""

    def keep(body: bytes) -> bytes:
        seen.append(body)
        return body

    return keep


def cursor(world: World) -> int:
    return own_subscriptions(world.consumer)[0].cursor


def receipts(world: World) -> list[OutboxRow]:
    with world.consumer.database.read() as session:
        return list(session.exec(select(OutboxRow)).all())


def test_a_pull_brings_every_release_and_moves_the_cursor(world: World) -> None:
    """A release that is granted, delivered and checked stands in the inbox under its number."""
    world.ready()
    world.publish(rows(10, first=100), "second.ndjson")

    done = pulled(world)

    assert [(file.release, file.rows, file.path.name) for file in done.files] == [
        (1, 40, "1.parquet"),
        (2, 10, "2.parquet"),
    ]
    assert done.cursor == cursor(world) == 2
    assert pl.read_parquet(done.files[1].path).height == 10


def test_a_received_file_is_the_release_byte_for_byte(world: World) -> None:
    """Without redactions the bytes are the manifest's."""
    world.ready()

    (file,) = pulled(world).files

    assert hash_file(file.path).sha256 == own_releases(world.provider, DATASET)[0].distribution.sha256


def test_a_redacted_view_arrives_without_the_hidden_fields(world: World) -> None:
    """What the purpose may not see is not in the file, and the receipt says so."""
    world.ready(**NARROWED)

    (file,) = pulled(world).files

    assert sorted(pl.read_parquet(file.path).columns) == sorted(NARROW)
    assert "chlorophyll" in file.redacted


def test_a_second_pull_brings_nothing_new(world: World) -> None:
    """The cursor stands where it was left."""
    world.ready()
    pulled(world)

    assert pulled(world) == Pulled((), 1)


def test_a_pull_since_an_earlier_cursor_shows_what_is_here(world: World) -> None:
    """What was received is not transferred again."""
    world.ready()
    first = pulled(world)

    again = pulled(world, since=0)

    assert again.files == first.files
    assert len(world.exchange.transfers) == 1


def test_the_receipt_the_outbox_and_the_cursor_are_one(world: World) -> None:
    """Both receipts wait together, over the same view and the same salt."""
    world.ready()
    pulled(world)

    (row,) = receipts(world)
    assert row.consumer_receipt is not None
    given = peek_statement(row.provider_receipt, Receipt).statement
    taken = peek_statement(row.consumer_receipt, Receipt).statement
    assert taken.participant == world.consumer.participant
    assert taken.model_dump(exclude={"role", "participant", "at"}) == given.model_dump(
        exclude={"role", "participant", "at"}
    )


def test_files_are_copied_to_the_folder_that_was_asked_for(world: World, tmp_path: Path) -> None:
    """The copy has a telling name and the same bytes; the original stays."""
    world.ready()
    target = tmp_path / "target"
    target.mkdir()

    (file,) = pulled(world, to=target).files

    assert file.path == target / f"{DATASET}-1.parquet"
    assert hash_file(file.path) == hash_file(world.consumer.home.inbox / DATASET / "1.parquet")
    assert [one.name for one in target.iterdir()] == [file.path.name]
    assert file.path.stat().st_mode & 0o077 == 0  # the rows are the owner's, also outside the home


@pytest.mark.parametrize("folder", ["relative", "/does/not/exist"])
def test_a_folder_that_is_none_is_refused(world: World, folder: str) -> None:
    """Nothing is granted for a copy that cannot be made."""
    world.ready()

    with pytest.raises(BadFolder):
        pulled(world, to=Path(folder))
    assert world.exchange.transfers == {}


def test_a_relayed_pull_brings_the_same_bytes_sealed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the exchange the bytes come in sealed pieces and are the same."""
    monkeypatch.setattr(downloading, "SEALED_PIECE_BYTES", 1000)
    world.ready()
    seen: list[bytes] = []
    world.alter = remembering(seen)

    (file,) = pull(world.consumer, DATASET, PullOptions(connect=world.relayed)).files

    assert len(seen) > 3
    assert b"PAR1" not in seen[0]
    assert hash_file(file.path).sha256 == own_releases(world.provider, DATASET)[0].distribution.sha256


def test_sealed_pieces_that_are_swapped_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange cannot pass one piece off as another."""
    monkeypatch.setattr(downloading, "SEALED_PIECE_BYTES", 1000)
    world.ready()
    seen: list[bytes] = []
    world.alter = lambda body: remembering(seen)(body) and seen[0]

    with pytest.raises(HeadwatersError, match="sealed bytes were changed"):
        pull(world.consumer, DATASET, PullOptions(connect=world.relayed))
    assert visible(world) == []


@pytest.mark.parametrize(
    "alter",
    [lambda body: body[:-1] + bytes([body[-1] ^ 1]), lambda body: b"x" * len(body)],
    ids=["one bit", "all bytes"],
)
def test_altered_bytes_are_discarded_and_not_signed_for(world: World, alter: object) -> None:
    """A provider that sends other bytes than it signed for gets no receipt, and nothing is visible."""
    world.ready()
    world.alter = alter  # type: ignore[assignment]

    with pytest.raises(DataAltered):
        pulled(world)

    assert visible(world) == []
    assert receipts(world) == []
    assert cursor(world) == 0


def test_more_bytes_than_signed_for_are_refused(world: World) -> None:
    """A stream without end does not fill the disk."""
    world.ready()
    world.alter = lambda body: body + b"x"

    with pytest.raises(DataAltered):
        pulled(world)
    assert visible(world) == []


def test_good_bytes_after_altered_ones_are_received(world: World) -> None:
    """What was discarded can be pulled again under the same grant."""
    world.ready()
    world.alter = lambda body: b"x" * len(body)
    with pytest.raises(DataAltered):
        pulled(world)

    world.alter = lambda body: body
    assert pulled(world).cursor == 1
    assert len(world.exchange.transfers) == 1


def test_a_broken_download_goes_on_where_it_stopped(world: World) -> None:
    """The second attempt asks for the rest only, under the same grant and receipt."""
    world.ready()
    asked: list[bytes] = []
    world.alter = lambda body: remembering(asked)(body)[:1500]
    with pytest.raises(DownloadBroken):
        pulled(world)
    assert visible(world) == []

    world.alter = remembering(asked)
    (file,) = pulled(world).files

    assert asked[1] == asked[0][1500:]
    assert file.path.read_bytes() == asked[0]
    assert len(world.exchange.transfers) == 1


def crash_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("the machine stopped")

    monkeypatch.setattr(pulling, name, crash)


@pytest.mark.parametrize("place", ["check_bytes", "check_rows", "_sign_for"])
def test_a_crash_between_download_and_receipt_is_made_good(world: World, place: str) -> None:
    """Though the grant has expired since, the bytes that are here are checked and signed for, late."""
    world.ready()
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, place)
        with pytest.raises(RuntimeError):
            pulled(world)
    assert receipts(world) == []
    world.clock.advance(120)
    world.alter = lambda _: b""

    done = pulled(world)

    assert done.cursor == 1
    assert len(receipts(world)) == 1
    assert len(world.exchange.transfers) == 1


def test_a_crash_before_the_download_asks_again_when_the_grant_is_over(world: World) -> None:
    """A grant that brought nothing and expired is given up for a new one."""
    world.ready()
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, "present")
        with pytest.raises(RuntimeError):
            pulled(world)
    world.clock.advance(120)

    assert pulled(world).cursor == 1
    assert len(world.exchange.transfers) == 2


def test_a_revoked_grant_is_not_presented_again(world: World) -> None:
    """A grant that ended with an emergency, say, is given up for a new one when the consumer asks again."""
    world.ready()
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, "present")
        with pytest.raises(RuntimeError):
            pulled(world)
    (first,) = world.exchange.transfers
    world.exchange.revoke("grants", first)
    world.clock.advance(6)  # beyond the age of the list that this node holds

    assert pulled(world).cursor == 1
    assert len(world.exchange.transfers) == 2


def test_an_open_grant_is_used_again(world: World) -> None:
    """A crash does not cost a second grant."""
    world.ready()
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, "present")
        with pytest.raises(RuntimeError):
            pulled(world)

    assert pulled(world).cursor == 1
    assert len(world.exchange.transfers) == 1


def test_nothing_of_an_attempt_is_left_once_it_succeeded(world: World) -> None:
    """The partial file and its row are gone."""
    world.ready()
    pulled(world)

    partial = world.consumer.home.inbox / DATASET / ".partial"
    assert list(partial.iterdir()) == []
    with world.consumer.database.read() as session:
        assert session.exec(select(FetchRow)).all() == []
        assert len(session.exec(select(ReceivedRow)).all()) == 1


def test_rows_that_break_the_contract_are_not_signed_for(world: World) -> None:
    """A provider that validated nothing is found out by the consumer."""
    world.declare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodes.publishing.publish.RowValidator.judge", lambda *_: None)
        world.publish([{**row, "ph": 99} for row in rows(3)])
    world.agree()

    with pytest.raises(ContractBroken):
        pulled(world)
    assert visible(world) == []
    assert receipts(world) == []


def test_a_feed_with_a_foreign_release_is_refused(world: World) -> None:
    """A list that puts a release under another number is not followed."""
    world.ready()
    feed = world.exchange.feeds[DATASET]
    feed[0] = feed[0].model_copy(update={"number": 5})

    with pytest.raises(FeedBroken):
        pulled(world)


def test_a_pull_needs_a_subscription(world: World) -> None:
    """Nothing is received that was not agreed."""
    with pytest.raises(NotSubscribed):
        pulled(world)


def test_one_pull_at_a_time(world: World) -> None:
    """A second pull of the same dataset is told to wait."""
    world.ready()
    folder = world.consumer.home.inbox / DATASET
    folder.mkdir()

    with exclusively(folder / ".lock"), pytest.raises(Busy):
        pulled(world)


def test_a_silent_exchange_is_told(world: World) -> None:
    """The person hears that the exchange does not answer."""
    world.ready()
    world.exchange.down = True

    with pytest.raises(ExchangeSilent):
        pulled(world)


def test_a_silent_provider_is_told(world: World) -> None:
    """The person hears that the provider does not answer, and nothing is visible."""
    world.ready()

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    def connect(_node: Node, _provider: str) -> ProviderLink:
        client = httpx.Client(base_url="http://127.0.0.1:1", transport=httpx.MockTransport(refuse))
        return ProviderLink(client, relayed=False)

    with pytest.raises(HeadwatersError, match="does not answer"):
        pull(world.consumer, DATASET, PullOptions(connect=connect))
    assert visible(world) == []


def test_progress_counts_rows(world: World) -> None:
    """Whoever pulls hears how far it is."""
    world.ready()
    heard: list[tuple[int, int]] = []

    pulled(world, progress=lambda done, of: heard.append((done, of)))

    assert heard == [(0, 40), (40, 40)]


def test_a_proof_stands_beside_its_file() -> None:
    """The proof's name is the file's and .hwproof."""
    assert proof_path(Path("/a/1.parquet")) == Path("/a/1.parquet.hwproof")
