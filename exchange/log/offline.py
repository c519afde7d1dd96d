"""The log without its process: walked and exported from the exchange's home, or walked as exported.

The home's own keys say what the log signed. An exported folder is walked under the keys of a trust root;
where none is named, under its own ``policy`` file, and the report says so: it then only agrees with itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.database import Database, open_database
from audit.export import export
from audit.fsck import Trusted, walk
from audit.keys import load_key
from audit.log_reader import LogReader
from audit.log_source import DatabaseSource, DirectorySource, LogSource
from audit.note import NoteSigner, VerifierKey
from audit.quorum import Trusted as TrustedKey
from audit.quorum import WitnessPolicy
from audit.trust import TrustRoot
from contracts.clock import SystemClock
from contracts.errors import NotFound
from exchange.members import store
from exchange.settings import SETTINGS_FILE, Settings, load_settings

Progress = Callable[[int, int], None]


class NoLogHere(NotFound):
    """The folder holds neither an exchange nor an exported log."""

    code = "no-log-here"
    title_zh = "该目录既不是交换中心也不是导出的日志"
    next_zh = "用 --home 指定交换中心目录、演示目录或导出目录。"
    next_en = "Name an exchange's folder, a demonstration's folder or an exported one with --home."


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk found, as the command shows it."""

    ok: bool
    facts: dict[str, Any]


def fsck_folder(
    folder: Path, *, against: bytes | None = None, trust: Path | None = None, progress: Progress | None = None
) -> Walked:
    """Walk the log in ``folder``; ``against`` is a checkpoint that must be of the same history."""
    now = SystemClock().now()
    kept = () if against is None else (against,)
    with _source(folder, trust) as (source, policy, trusted_by):
        trusted = Trusted(log_key=policy.logs[0].key, now=now, policy=_if_any(policy), against=kept)
        report = walk(source, trusted, progress)
    damage = report.damage
    facts = {
        "ok": damage is None,
        "size": report.entries,
        "checkpoints": report.checkpoints,
        "open_grants": report.open_grants,
        "trusted_by": trusted_by,
        "first_bad_index": None if damage is None else damage.index,
        "what": None if damage is None else damage.what,
    }
    return Walked(damage is None, facts)


def export_folder(folder: Path, to: Path) -> dict[str, Any]:
    """Write the log of an exchange's home as a static tlog-tiles tree with its policy file."""
    with _open_home(_log_home(folder)) as (settings, database):
        done = export(LogReader(database), to, _policy(settings, database))
    return {"to": str(to), "size": done.checkpoint.size, "files_written": done.written}


@contextmanager
def _source(folder: Path, trust: Path | None) -> Iterator[tuple[LogSource, WitnessPolicy, str]]:
    home = _log_home(folder)
    pinned = TrustRoot.load(trust).witness_policy() if trust else None
    if (home / SETTINGS_FILE).is_file():
        with _open_home(home) as (settings, database), DatabaseSource.open(database) as source:
            yield source, pinned or _policy(settings, database), str(trust or "the exchange's own keys")
        return
    policy = pinned or WitnessPolicy.parse((home / "policy").read_text())
    yield DirectorySource(home), policy, str(trust or "the folder's own policy file")


@contextmanager
def _open_home(home: Path) -> Iterator[tuple[Settings, Database]]:
    settings = load_settings(home)
    database = open_database(settings.database)
    try:
        yield settings, database
    finally:
        database.close()


def _policy(settings: Settings, database: Database) -> WitnessPolicy:
    """Build the policy from the log's key and every witness that was ever admitted."""
    log = NoteSigner(settings.origin, load_key(settings.log_key_path)).verifier_key
    with database.read() as session:
        members = store.list_members(session)
    witnesses = {m.participant: VerifierKey.parse(m.witness_vkey) for m in members if m.witness_vkey}
    if not witnesses:
        return WitnessPolicy((TrustedKey(log),), {}, {}, None)
    return WitnessPolicy.k_of_n(log, witnesses, min(settings.quorum, len(witnesses)))


def _if_any(policy: WitnessPolicy) -> WitnessPolicy | None:
    """Judge cosignatures only where there are witnesses; a young log has none."""
    return policy if policy.witnesses else None


def _log_home(folder: Path) -> Path:
    """Accept an exchange's home, an exported folder, or a demonstration's home, which holds ``exchange/``."""
    for home in (folder, folder / "exchange"):
        if (home / SETTINGS_FILE).is_file() or (home / "checkpoint").is_file():
            return home
    raise NoLogHere(f"{folder} holds neither {SETTINGS_FILE} nor a checkpoint")
