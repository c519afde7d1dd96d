"""Keys, bodies and statements that were exchanged for others prove nothing."""

import io
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audit.formats.cosignature import Cosigner, format_add_checkpoint, judge, parse_add_checkpoint
from audit.formats.note import NoteSigner, format_note, parse_note
from audit.keys.signing import SigningKey
from audit.keys.trust import TrustedLog
from audit.proofs.verify import verify_transfer
from contracts.errors import HeadwatersError
from contracts.messages import Statement
from tests.audit.logs import NOW, ORIGIN, SIGNER
from tests.audit.transfer_evidence import (
    CONSUMER,
    DATA,
    EXCHANGE,
    PROVIDER,
    STRANGER,
    Evidence,
    evidence,
    seal,
    trust,
    trust_root,
)
from tests.tamper.conftest import Scene
from tests.tamper.detectors import fsck_alone, reading

STATEMENTS = ["grant", "manifest", "agreement", "record", "provider_receipt", "consumer_receipt"]
STRANGERS_LOG = NoteSigner(ORIGIN, STRANGER)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Give the evidence of one sound transfer."""
    return evidence(tmp_path_factory.mktemp("transfer"))


def _is_proven(proof: bytes, data: bytes = DATA, **changes: object) -> bool:
    trusted = trust(**changes)
    try:
        verify_transfer(proof, io.BytesIO(data), trusted, now=NOW)
    except HeadwatersError:
        return False
    return True


def test_the_untouched_transfer_is_proven(whole: Evidence) -> None:
    """Without tampering the proof holds."""
    assert _is_proven(whole.proof())


@pytest.mark.parametrize("at", [0, len(DATA) // 2, len(DATA) - 1])
def test_body_swap_of_the_data(whole: Evidence, at: int) -> None:
    """Body swap: data with any one byte changed, or cut off there, are not what both sides signed for."""
    other = DATA[:at] + bytes([DATA[at] ^ 1]) + DATA[at + 1 :]

    assert not _is_proven(whole.proof(), other)
    assert not _is_proven(whole.proof(), DATA[:at])


@pytest.mark.parametrize("name", STATEMENTS)
def test_body_swap_of_a_statement(whole: Evidence, name: str) -> None:
    """Body swap: a statement with other words, signed by its true owners, is not the one that was logged."""
    told = whole.statements
    owners: dict[str, tuple[Statement, dict[str, object], list[SigningKey]]] = {
        "grant": (told.grant, {"release": 4}, [EXCHANGE]),
        "manifest": (told.manifest, {"number": 4}, [PROVIDER]),
        "agreement": (told.agreement, {"purpose": "another-purpose"}, [PROVIDER, CONSUMER]),
        "record": (told.record, {"number": 2}, [PROVIDER]),
        "provider_receipt": (told.given, {"view_rows": 9}, [PROVIDER]),
        "consumer_receipt": (told.taken, {"view_rows": 9}, [CONSUMER]),
    }
    statement, words, keys = owners[name]
    other = seal(statement.model_copy(update=words), *keys)

    assert not _is_proven(whole.proof(**{name: other}))


@pytest.mark.parametrize("name", STATEMENTS)
def test_key_swap_in_a_statement(whole: Evidence, name: str) -> None:
    """Key swap: the very words, signed by another key, prove nothing, whatever key stands in the proof."""
    payload = whole.signed[name]
    told = whole.statements
    statement = {
        "grant": told.grant,
        "manifest": told.manifest,
        "agreement": told.agreement,
        "record": told.record,
        "provider_receipt": told.given,
        "consumer_receipt": told.taken,
    }[name]

    assert payload != seal(statement, STRANGER)
    assert not _is_proven(whole.proof(**{name: seal(statement, STRANGER)}))


def test_key_swap_in_the_trust_root(whole: Evidence) -> None:
    """Key swap: under a trust root that names another log key, nothing of the true log is proven."""
    other = [TrustedLog(origin=ORIGIN, vkey=str(STRANGERS_LOG.verifier_key))]

    assert not _is_proven(whole.proof(), logs=other)


def test_key_swap_of_the_log(scene: Scene) -> None:
    """Key swap: the true entries, all checkpoints signed anew by another key of that name: bad from 0."""
    path = Path(shutil.copy(scene.sound, scene.folder / "swapped.db"))
    with closing(sqlite3.connect(path)) as connection:
        for table in ("log_checkpoint", "log_cosigned"):
            for place, note in connection.execute(f"SELECT rowid, note FROM {table}").fetchall():  # noqa: S608  # our own names
                forged = _by_stranger(note.encode())
                connection.execute(f"UPDATE {table} SET note = ? WHERE rowid = ?", (forged.decode(), place))  # noqa: S608
        connection.commit()
    body = parse_add_checkpoint(format_add_checkpoint(0, [], _by_stranger(scene.kept.log_signed)))

    with reading(path) as source:
        damage = fsck_alone(source)
    assert damage is not None
    assert damage.index == 0
    assert judge(None, body, SIGNER.verifier_key).status == 403


def _by_stranger(note: bytes) -> bytes:
    text = parse_note(note).text
    return format_note(text, [STRANGERS_LOG.sign(text)])


def test_key_swap_of_the_witnesses(whole: Evidence) -> None:
    """Key swap: cosignatures by keys that the trust root does not name make no quorum."""
    root = trust_root()
    strangers = [
        one.model_copy(
            update={
                "witness_keys": [key.model_copy(update={"vkey": _witness(n)}) for key in one.witness_keys]
            }
        )
        for n, one in enumerate(root.participants)
    ]

    assert not _is_proven(whole.proof(), participants=strangers)


def _witness(number: int) -> str:
    key = SigningKey.from_seed(bytes([90 + number]) * 32)
    return str(Cosigner(f"witness-{number}.example/w1", key).verifier_key)
