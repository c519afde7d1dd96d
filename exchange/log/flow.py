"""Use cases of reading the log: the published checkpoint, proofs under it, and how it stands."""

import base64
from datetime import timedelta

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import parse_note
from audit.log.log_reader import LogReader
from contracts.errors import Conflict, NotFound
from contracts.messages import Inclusion, LogStatus
from exchange.evidence import logged_place
from exchange.log.second_lines import is_own_line
from exchange.parts import Parts


class NotYetWitnessed(Conflict):
    """No quorum-cosigned checkpoint covers this entry yet."""

    code = "not-yet-witnessed"
    title_zh = "该条目尚未被足够的见证方副署覆盖"
    next_zh = "稍后再试;见证方恢复后自动完成。"
    next_en = "Try again shortly; it completes by itself once enough witnesses answer."


class StatementNotLogged(NotFound):
    """The log holds no statement of this digest."""

    code = "statement-not-logged"
    title_zh = "日志中没有该声明"
    next_zh = "核对声明的摘要;只有已登记的声明才有日志位置。"
    next_en = "Check the statement's digest; only a statement that was registered has a place in the log."


class NothingCarried(NotFound):
    """The first shard follows nothing, so no subscription heads were carried over."""

    code = "nothing-carried"
    title_zh = "首个分片没有承接的订阅末态"
    next_zh = "首个分片从零开始;查看其后的分片。"
    next_en = "The first shard began with nothing; ask for a later one."


def published_checkpoint(reader: LogReader) -> bytes:
    """Give the newest quorum-cosigned checkpoint; the log-signed one while there has never been a quorum."""
    return reader.cosigned() or reader.checkpoint()


def inclusion(reader: LogReader, index: int) -> Inclusion:
    """Prove an entry under its shard's newest quorum-cosigned checkpoint.

    Raises NotYetWitnessed, NoSuchEntry and NoSuchShard.
    """
    reader.leaf_hash(index)  # an entry that does not exist is not one that waits
    note = reader.cosigned()
    size = Checkpoint.parse(parse_note(note).text).size if note else 0
    if note is None or index >= size:
        raise NotYetWitnessed(f"entry {index} is not below the witnessed size {size}", witnessed_size=size)
    return _inclusion(reader, index, size, note)


def inclusion_at(parts: Parts, place: int) -> Inclusion:
    """Prove the entry at a place among all shards; raise NotYetWitnessed or NoSuchEntry."""
    return inclusion(*parts.log.at(place))


def statement_inclusion(parts: Parts, digest: str) -> Inclusion:
    """Prove where a signed statement was logged first; raise StatementNotLogged.

    Under the newest quorum-cosigned checkpoint where that covers it, else under the log-signed one.
    """
    with parts.database.read() as session:
        place = logged_place(session, digest)
    if place is None:
        raise StatementNotLogged(f"the log holds no statement {digest}")
    origin, index = place
    reader = parts.log.named(origin)
    note = reader.cosigned()
    if note is None or index >= Checkpoint.parse(parse_note(note).text).size:
        note = reader.checkpoint()
    size = Checkpoint.parse(parse_note(note).text).size
    return _inclusion(reader, index, size, note)


def consistency(reader: LogReader, old: int, new: int) -> list[str]:
    """Prove that the log of ``new`` extends that of ``old``; raise OutsideTree, NoSuchEntry."""
    return [_b64(value) for value in reader.consistency_path(old, new)]


def carried_heads(reader: LogReader) -> bytes:
    """Give the heads with which a shard began; raise NothingCarried for the first."""
    heads = reader.heads()
    if heads is None:
        raise NothingCarried
    return heads


def status(parts: Parts) -> LogStatus:
    """Say how the log stands now."""
    size = parts.log.size()
    parts.telemetry.log_size.set(size)
    return parts.log_state.report(
        shard=parts.log.shard(),
        size=size,
        quorum=parts.settings.quorum,
        witnesses=len(parts.roll.witnesses()),
        sealed=parts.log.sealed,
        grace=timedelta(seconds=parts.settings.witness_grace_seconds),
    )


def recall(parts: Parts) -> None:
    """Read back what was published before the process started."""
    note = parts.log.cosigned()
    if note is not None:
        signed = parse_note(note)
        checkpoint = Checkpoint.parse(signed.text)
        size = checkpoint.size
        cosigned = sum(not is_own_line(line.name, checkpoint.origin) for line in signed.signatures)
        parts.log_state.published(size, cosigned, parts.clock.now())
        parts.telemetry.witnessed_size.set(size)


def _inclusion(reader: LogReader, index: int, size: int, note: bytes) -> Inclusion:
    return Inclusion(
        index=index,
        leaf=_b64(reader.entry(index)),
        path=[_b64(value) for value in reader.inclusion_path(index, size)],
        checkpoint=note.decode(),
    )


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
