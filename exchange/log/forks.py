"""When somebody proves that this log signed two histories: everybody is told, and the log signs nothing more.

Whoever holds the log's key outside this process, or an old copy of it, can sign a second history. The proof
(``.hwfork``) lies in the home's ``evidence/`` and keeps the log sealed across restarts; the alliance goes on
with a new log under a new key.
"""

from pathlib import Path

import structlog

from audit.durable import sync_folder, write_private
from audit.formats.note import VerifierKey
from audit.proofs.equivocation import SUFFIX, Fork, ForkUnproven, verify_fork
from contracts.errors import HeadwatersError
from contracts.messages import ForkAnswer, ForkReport, Severity, Text
from contracts.spelling import NotBase64, from_base64
from exchange.identity import Caller
from exchange.parts import Alarm, Parts

log = structlog.get_logger(__name__)

EQUIVOCATION = "log.equivocation"
_TITLE = Text(
    zh="审计日志签署了两个互相矛盾的历史,日志已停止签署",
    en="The audit log signed two histories that contradict each other; it signs nothing more",
)


async def take_report(parts: Parts, caller: Caller, report: ForkReport) -> ForkAnswer:
    """Check a proof, tell the whole alliance, and seal the log for good; raise ForkUnproven or UnknownLog.

    A proof that is known already changes nothing. A log that is sealed tells nobody any more: it has said so.
    """
    try:
        raw = from_base64(report.fork)
    except NotBase64 as error:
        raise ForkUnproven("the proof is not base64") from error
    fork = _verified(parts, raw)
    if any(_same_log(parts, known, fork) for known in _files(parts)):
        return ForkAnswer(evidence=fork.digest)
    # The file first, without awaiting: every node reports at once, and one event is enough.
    _keep(parts, raw, fork)
    try:
        if not parts.log.sealed:
            await parts.raise_alarm(_alarm(fork, caller.participant))
    finally:
        _stop(parts, fork)
    return ForkAnswer(evidence=fork.digest)


def recall_forks(parts: Parts) -> None:
    """Keep the log sealed where a proof against it was taken before this process started."""
    for file in _files(parts):
        try:
            _stop(parts, _verified(parts, file.read_bytes()))
        except HeadwatersError as error:
            log.warning("fork_file_unfit", file=file.name, code=error.code)


def _verified(parts: Parts, raw: bytes) -> Fork:
    return verify_fork(raw, [VerifierKey.parse(shard.vkey) for shard in parts.log.shards()])


def _same_log(parts: Parts, file: Path, fork: Fork) -> bool:
    try:
        return _verified(parts, file.read_bytes()).origin == fork.origin
    except HeadwatersError:
        return False


def _stop(parts: Parts, fork: Fork) -> None:
    if fork.origin != parts.log.origin:
        return  # an earlier shard: what follows it has another key
    log.critical("log_equivocation", size=fork.size, other_size=fork.other_size, evidence=fork.digest)
    parts.log_state.refuse(f"the log signed two histories of {fork.size} entries: {fork.digest}")
    parts.log.seal()


def _alarm(fork: Fork, reporter: str) -> Alarm:
    return Alarm(
        event_class=EQUIVOCATION,
        severity=Severity.CRITICAL,
        subject=None,
        title=_TITLE,
        facts={
            "origin": fork.origin,
            "size": fork.size,
            "other_size": fork.other_size,
            "evidence": fork.digest,
            "reporter": reporter,
        },
    )


def _files(parts: Parts) -> list[Path]:
    return sorted(_folder(parts).glob(f"*{SUFFIX}"))


def _folder(parts: Parts) -> Path:
    return parts.settings.home / "evidence"


def _keep(parts: Parts, raw: bytes, fork: Fork) -> None:
    folder = _folder(parts)
    folder.mkdir(mode=0o700, exist_ok=True)
    write_private(folder / fork.file_name, raw)
    sync_folder(folder.parent)
