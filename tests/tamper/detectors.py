"""Everybody who would notice that a log was tampered with, each with no more than it has kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audit.database import open_database
from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import (
    Verdict,
    WitnessState,
    format_add_checkpoint,
    judge,
    parse_add_checkpoint,
)
from audit.formats.note import parse_note
from audit.log.log_reader import LogReader
from audit.walk.copies import first_loss
from audit.walk.fsck import Damage, Trusted, walk
from audit.walk.log_source import DatabaseSource, DirectorySource, LogSource
from contracts.errors import HeadwatersError
from tests.audit.logs import NOW, POLICY, SIGNER


@dataclass(frozen=True, slots=True)
class Kept:
    """What lay elsewhere before the attack: checkpoints, and a province's mirror."""

    log_signed: bytes  # by a reader who saw the newest one
    cosigned: bytes  # by every witness of the quorum
    mirror: Path

    @classmethod
    def of(cls, path: Path, mirror: Path) -> "Kept":
        """Keep what a sound log gave out."""
        database = open_database(f"sqlite:///{path}")
        reader = LogReader(database)
        log_signed, cosigned = reader.checkpoint(), reader.cosigned()
        database.close()
        assert cosigned is not None
        return cls(log_signed, cosigned, mirror)


def fsck_alone(source: LogSource) -> Damage | None:
    """Walk the log with its key and the witnesses' keys, and nothing that was kept elsewhere."""
    return walk(source, Trusted(SIGNER.verifier_key, NOW, POLICY)).damage


def fsck_against(source: LogSource, *notes: bytes) -> Damage | None:
    """Walk the log against checkpoints that were kept elsewhere."""
    return walk(source, Trusted(SIGNER.verifier_key, NOW, POLICY, against=notes)).damage


def held_against_mirror(source: LogSource, kept: Kept) -> int | None:
    """Name the first entry of a sound mirror that the log has lost."""
    mirror = DirectorySource(kept.mirror)
    assert fsck_alone(mirror) is None
    return first_loss(mirror, source)


def asked_to_cosign(path: Path, kept: Kept) -> Verdict:
    """Let a witness that cosigned before judge the newest checkpoint of the changed log, honestly proven."""
    state = Checkpoint.parse(parse_note(kept.cosigned).text)
    database = open_database(f"sqlite:///{path}")
    try:
        reader = LogReader(database)
        note = reader.checkpoint()
        claim = Checkpoint.parse(parse_note(note).text)
        try:
            proof = reader.consistency_path(state.size, claim.size) if state.size < claim.size else []
        except HeadwatersError:
            proof = []  # the attacker has nothing better to show
        body = format_add_checkpoint(min(state.size, claim.size), proof, note)
    finally:
        database.close()
    return judge(WitnessState(state.size, state.root), parse_add_checkpoint(body), SIGNER.verifier_key)


@contextmanager
def reading(path: Path) -> Iterator[DatabaseSource]:
    """Open the log in a database file."""
    database = open_database(f"sqlite:///{path}")
    try:
        with DatabaseSource.open(database) as source:
            yield source
    finally:
        database.close()
