"""Logs that signed two histories, as this node has proved it: nothing of such a log is accepted any more.

The proof is durable, and lies as a file in ``evidence/`` for people, before anybody hears of it. It stops the
log for good: a restart does not forget it, and only a log under another name and key can follow.
"""

from pathlib import Path

import structlog
from sqlmodel import col, select

from audit.database import Database
from audit.durable import write_private
from audit.formats.note import VerifierKey
from audit.proofs.equivocation import Fork, verify_fork
from contracts.clock import Clock, epoch_ms
from contracts.errors import Corrupt
from contracts.messages import Severity, Text
from nodes.alarms import Alarms
from nodes.witnessing.network_tables import LogForkRow

log = structlog.get_logger(__name__)

EQUIVOCATION = "log.equivocation"
_TITLE = Text(
    zh="日志签署了两个互相矛盾的历史,已停止采信",
    en="The log signed two histories that contradict each other; it is accepted no more",
)


class LogForked(Corrupt):
    """The log contradicts what it showed before."""

    code = "log-forked"
    title_zh = "日志与其先前内容矛盾"
    next_zh = "保留两个检查点作为证据,立即通知其他省与主管部门。"
    next_en = "Keep both checkpoints as evidence and tell the other provinces at once."


class LogStopped(LogForked):
    """The log signed two histories; nothing of it is accepted any more."""

    code = "log-stopped"
    title_zh = "日志签署了两个历史,本节点已停止采信"
    next_zh = "把 evidence/ 中的 .hwfork 文件交给主管部门与其他省;由联盟以新日志继续。"
    next_en = "Hand the .hwfork file in evidence/ to the authorities; the alliance goes on with a new log."


class Forks:
    """The proofs that one node holds; safe to share between threads."""

    def __init__(self, *, database: Database, clock: Clock, alarms: Alarms, folder: Path) -> None:
        self._database = database
        self._clock = clock
        self._alarms = alarms
        self._folder = folder

    def check(self, origin: str) -> None:
        """Raise LogStopped for a log that is proved to have signed two histories."""
        with self._database.read() as session:
            row = session.get(LogForkRow, origin)
        if row is not None:
            raise LogStopped(f"{origin} signed two histories: {row.digest}", evidence=row.digest)

    def keep(self, raw: bytes, *keys: VerifierKey) -> Fork:
        """Stop the log that signed both histories in ``raw`` with one of ``keys``.

        One proof for each log is enough: a second one changes nothing. Raises ForkUnproven or UnknownLog.
        """
        fork = verify_fork(raw, keys)
        with self._database.transaction() as session:
            if session.get(LogForkRow, fork.origin) is not None:
                return fork
            session.add(
                LogForkRow(
                    origin=fork.origin,
                    evidence=raw,
                    digest=fork.digest,
                    found_at=epoch_ms(self._clock.now()),
                )
            )
        log.critical("log_equivocation", origin=fork.origin, size=fork.size, other_size=fork.other_size)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_private(self._folder / fork.file_name, raw)
        facts: dict[str, int | str] = {
            "origin": fork.origin,
            "size": fork.size,
            "other_size": fork.other_size,
            "evidence": fork.digest,
        }
        self._alarms.raise_alarm(EQUIVOCATION, Severity.CRITICAL, _TITLE, facts)
        return fork

    def proofs(self) -> list[bytes]:
        """Give every proof, oldest first: they travel on with gossip."""
        with self._database.read() as session:
            rows = session.exec(select(LogForkRow).order_by(col(LogForkRow.found_at))).all()
            return [row.evidence for row in rows]

    def untold(self) -> list[bytes]:
        """Give the proofs that the exchange has not taken yet."""
        with self._database.read() as session:
            rows = session.exec(select(LogForkRow).where(col(LogForkRow.told_at).is_(None))).all()
            return [row.evidence for row in rows]

    def told(self, raw: bytes) -> None:
        """Note that the exchange has taken a proof."""
        with self._database.transaction() as session:
            for row in session.exec(select(LogForkRow).where(LogForkRow.evidence == raw)):
                row.told_at = epoch_ms(self._clock.now())
                session.add(row)
