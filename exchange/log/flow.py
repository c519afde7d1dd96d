"""Use cases of reading the log: the published checkpoint, proofs under it, and how it stands."""

import base64

from audit.checkpoint import Checkpoint
from audit.note import parse_note
from contracts.errors import Conflict
from contracts.messages import Inclusion, LogStatus
from exchange.parts import Parts


class NotYetWitnessed(Conflict):
    """No quorum-cosigned checkpoint covers this entry yet."""

    code = "not-yet-witnessed"
    title_zh = "该条目尚未被足够的见证方副署覆盖"
    next_zh = "稍后再试;见证方恢复后自动完成。"
    next_en = "Try again shortly; it completes by itself once enough witnesses answer."


def published_checkpoint(parts: Parts) -> bytes:
    """Give the newest quorum-cosigned checkpoint; the log-signed one while there has never been a quorum."""
    return parts.log.cosigned() or parts.log.checkpoint()


def inclusion(parts: Parts, index: int) -> Inclusion:
    """Prove an entry under the newest quorum-cosigned checkpoint; raise NotYetWitnessed, NoSuchEntry."""
    leaf = parts.log.entry(index)
    note = parts.log.cosigned()
    size = Checkpoint.parse(parse_note(note).text).size if note else 0
    if note is None or index >= size:
        raise NotYetWitnessed(f"entry {index} is not below the witnessed size {size}", witnessed_size=size)
    return Inclusion(
        index=index,
        leaf=_b64(leaf),
        path=[_b64(value) for value in parts.log.inclusion_path(index, size)],
        checkpoint=note.decode(),
    )


def consistency(parts: Parts, old: int, new: int) -> list[str]:
    """Prove that the log of ``new`` extends that of ``old``; raise OutsideTree, NoSuchEntry."""
    return [_b64(value) for value in parts.log.consistency_path(old, new)]


def status(parts: Parts) -> LogStatus:
    """Say how the log stands now."""
    size = parts.log.size()
    parts.telemetry.log_size.set(size)
    return parts.log_state.report(
        origin=parts.settings.origin,
        size=size,
        quorum=parts.settings.quorum,
        witnesses=len(parts.roll.witnesses()),
        sealed=parts.log.sealed,
    )


def recall(parts: Parts) -> None:
    """Read back what was published before the process started."""
    note = parts.log.cosigned()
    if note is not None:
        signed = parse_note(note)  # one line is the log's, the others are its witnesses'
        size = Checkpoint.parse(signed.text).size
        parts.log_state.published(size, len(signed.signatures) - 1, parts.clock.now())
        parts.telemetry.witnessed_size.set(size)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
