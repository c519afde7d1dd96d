"""Exports for other people's tools: securesystemslib reads our statements, scitt-cose our receipts."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
import scitt_cose  # type: ignore[import-untyped]  # the library has no types
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Key  # type: ignore[attr-defined]  # exported without saying so

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import parse_note
from audit.keys.signing import PublicKey
from audit.log.export import ExportContradicts
from audit.log.shards import NoSuchShard
from contracts.messages import LoggedGrant, ReceiptRole
from exchange.reports import store
from exchange.reports.cose_export import export_receipts
from exchange.reports.dsse_export import export_statements
from exchange.transfers.store import find_transfer
from tests.exchange.reports.test_commands import Shell, run
from tests.exchange.reports.witnessed import Witnessed
from tests.exchange.trading import Trade

__all__ = ["run"]

NAMES = ("grant", "agreement", "manifest", "record", "provider-receipt", "consumer-receipt")


@pytest.fixture
def world(trade: Trade) -> Witnessed:
    """Give an alliance, cosigned on demand."""
    return Witnessed(trade)


def home(world: Witnessed) -> Path:
    return world.alliance.parts.settings.home


def grant_of(logged: LoggedGrant) -> str:
    payload = Envelope.from_dict(json.loads(logged.grant_envelope)).payload
    return str(json.loads(payload)["grant"])


def foreign(keys: Iterable[PublicKey]) -> list[Key]:
    """Give keys as securesystemslib knows them."""
    shape = {"keytype": "ed25519", "scheme": "ed25519"}
    return [Key.from_dict(key.key_id, {**shape, "keyval": {"public": key.raw.hex()}}) for key in keys]


def verified(path: Path, keys: list[Key]) -> bytes:
    """Let securesystemslib verify an envelope under all of the keys; give its payload."""
    envelope = Envelope.from_dict(json.loads(path.read_bytes()))
    assert len(envelope.verify(keys, len(keys))) == len(keys)
    return bytes(envelope.payload)


def receipts(world: Witnessed, to: Path, number: int | None = None) -> dict[str, object]:
    return export_receipts(home(world), to, number, now=world.alliance.clock.now())


def judge(folder: Path, pem: Path, *, leaf: bytes | None = None) -> scitt_cose.ReceiptResult:
    """Let scitt-cose verify a receipt over the leaf beside it."""
    beside = (folder / "closing.leaf.json").read_bytes() if leaf is None else leaf
    return scitt_cose.verify_receipt(
        (folder / "closing.cose").read_bytes(),
        leaf_entry_hex=beside.hex(),
        log_public_key_pem=pem.read_bytes(),
    )


def test_another_library_verifies_every_statement(world: Witnessed, tmp_path: Path) -> None:
    """Six files a transfer, each signed by whom it must be; a changed payload is refused."""
    logged = world.transfer()
    told = export_statements(home(world), tmp_path / "out")
    place, trade = tmp_path / "out" / grant_of(logged), world.trade
    provider, consumer = ([node.key.public] for node in (trade.provider, trade.consumer))
    signers = [[world.alliance.parts.statement_key.public], provider + consumer, provider, provider, provider]
    payloads = {
        name: verified(place / f"{name}.dsse.json", foreign(keys))
        for name, keys in zip(NAMES, [*signers, consumer], strict=True)
    }

    assert (told["transfers"], told["erased"], told["files_written"]) == (1, 0, 6)
    assert {path.name for path in place.iterdir()} == {f"{name}.dsse.json" for name in NAMES}
    assert json.loads(payloads["consumer-receipt"])["role"] == "consumer"
    changed = (place / "grant.dsse.json").read_text().replace("eyJ", "eyK", 1)
    with pytest.raises(VerificationError):
        Envelope.from_dict(json.loads(changed)).verify(foreign(signers[0]), 1)


def test_what_was_erased_is_counted_and_left_out(
    world: Witnessed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer whose evidence is gone has no folder; the others are written, page by page."""
    monkeypatch.setattr(store, "TRANSFERS_PAGE", 1)
    gone = world.transfer()
    kept = world.transfer(subscription=world.alliance.agreed(world.trade.consumer).subscription)
    with world.alliance.parts.database.transaction() as session:
        row = find_transfer(session, grant_of(gone))
        assert row is not None
        row.envelope, row.provider_receipt, row.consumer_receipt = "", None, None
    told = export_statements(home(world), tmp_path / "out")

    assert (told["transfers"], told["erased"]) == (1, 1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [grant_of(kept)]


def test_a_second_run_adds_and_contradicts_nothing(world: Witnessed, tmp_path: Path) -> None:
    """What lies there is left as it is; a file that differs from what is kept is no copy to build on."""
    logged = world.alliance.request(world.trade.consumer, world.trade.subscription, 1)
    first = export_statements(home(world), tmp_path / "out")
    given = world.alliance.receipt(world.trade.provider, ReceiptRole.PROVIDER, logged)
    taken = world.alliance.receipt(world.trade.consumer, ReceiptRole.CONSUMER, logged)
    world.alliance.deliver(world.trade.consumer, logged, given, taken)
    second = export_statements(home(world), tmp_path / "out")
    (tmp_path / "out" / grant_of(logged) / "grant.dsse.json").write_text("{}")

    assert (first["files_written"], second["files_written"]) == (4, 2)
    with pytest.raises(ExportContradicts):
        export_statements(home(world), tmp_path / "out")


def test_another_library_verifies_every_receipt(world: Witnessed, tmp_path: Path) -> None:
    """A receipt proves its leaf under the published checkpoint and the log's key; another leaf is refused."""
    logged = world.transfer()
    world.cosign()
    told = receipts(world, tmp_path)
    place = tmp_path / grant_of(logged)
    result = judge(place, tmp_path / "log-1.pem")
    note = parse_note(world.alliance.parts.log.cosigned() or b"")
    claim = Checkpoint.parse(note.text)

    assert told == {"to": str(tmp_path), "receipts": 1, "not_published": 0, "without_key": 0}
    assert (result.errors, result.ok) == ([], True)
    assert (result.issuer, result.subject) == (claim.origin, grant_of(logged))
    assert (result.tree_size, result.root) == (claim.size, claim.root.hex())
    assert json.loads((place / "closing.leaf.json").read_bytes())["gid"] == grant_of(logged)
    assert not judge(place, tmp_path / "log-1.pem", leaf=b"{}").ok


def test_what_is_not_published_waits(world: Witnessed, tmp_path: Path) -> None:
    """Without a checkpoint of a quorum there is no receipt; later runs renew what is there."""
    world.transfer()
    early = receipts(world, tmp_path)
    world.cosign()
    late = receipts(world, tmp_path)
    again = receipts(world, tmp_path)

    assert [told["receipts"] for told in (early, late, again)] == [0, 1, 1]
    assert early["not_published"] == 1


def test_each_shard_signs_its_own_receipts(world: Witnessed, tmp_path: Path) -> None:
    """Closings stand under their shard's checkpoint and key; a shard whose key is gone is counted."""
    first = world.transfer()
    world.next_shard()
    second = world.transfer(subscription=world.alliance.agreed(world.trade.consumer).subscription)
    world.cosign()
    whole = receipts(world, tmp_path / "all")
    newest = receipts(world, tmp_path / "newest", 2)
    results = [
        judge(tmp_path / "all" / grant_of(logged), tmp_path / "all" / f"log-{number}.pem")
        for number, logged in ((1, first), (2, second))
    ]
    (home(world) / "keys" / "log-2.key").unlink()
    keyless = receipts(world, tmp_path / "keyless")

    assert [result.ok for result in results] == [True, True]
    assert (whole["receipts"], newest["receipts"]) == (2, 1)
    assert (keyless["receipts"], keyless["without_key"]) == (1, 1)
    assert export_statements(home(world), tmp_path / "statements", 2)["transfers"] == 1
    with pytest.raises(NoSuchShard):
        receipts(world, tmp_path / "none", 3)


def test_the_command_writes_each_format(run: Shell, world: Witnessed, tmp_path: Path) -> None:
    """Tiles are what is written where no format is named; an unknown format is wrong usage."""
    world.transfer()
    world.cosign()
    said = {
        name: run("audit", "export", "--to", tmp_path / name, *words, "--home", home(world))
        for name, words in {
            "tiles": (),
            "dsse": ("--format", "dsse"),
            "cose": ("--format", "cose"),
            "scitt": ("--format", "scitt"),
        }.items()
    }

    assert [code for code, _ in said.values()] == [0, 0, 0, 64]
    assert (tmp_path / "tiles" / "checkpoint").is_file()
    assert (said["dsse"][1]["transfers"], said["cose"][1]["receipts"]) == (1, 1)
