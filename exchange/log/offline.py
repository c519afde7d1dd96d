"""The log without its process: walked and exported from the exchange's home, or walked as exported.

The home's own keys say what the log signed. An exported folder is walked under the keys of a trust root;
where none is named, under its own ``policy`` file, and the report says so: it then only agrees with itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from audit.database import Database
from audit.formats.note import NoteSigner, VerifierKey
from audit.formats.policy_file import check_policy_file
from audit.formats.quorum import PolicyKey, WitnessPolicy
from audit.keys.signing import load_key
from audit.keys.trust import TrustRoot
from audit.keys.trust_file import TrustFile
from audit.log import log_store
from audit.log.export import export
from audit.log.log_reader import LogReader
from audit.log.shards import FIRST, Shard
from audit.walk.fsck import Damage, Trusted
from audit.walk.fsck_shards import PolicyOf, ShardWalk, own_policy, walk_shards
from audit.walk.log_source import DatabaseSource, DirectorySource, LogSource
from audit.walk.twin import check_twins
from contracts.clock import SystemClock
from contracts.errors import HeadwatersError
from exchange.log.home import NoLogHere, opened
from exchange.log.kept import Kept
from exchange.log.stored import first_contradiction
from exchange.members import store
from exchange.settings import SETTINGS_FILE, Settings

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk found, as the command shows it."""

    ok: bool
    facts: dict[str, Any]


def fsck_folder(
    folder: Path, *, against: Path | None = None, trust: Path | None = None, progress: Progress | None = None
) -> Walked:
    """Walk the log in ``folder``, and in an exchange's home hold the rows beside it against its entries.

    ``against`` is a checkpoint's file, or the folder of a mirror or an export, of the same history.
    """
    now, kept = SystemClock().now(), Kept.read(against)
    with _opened(folder, trust) as opened:
        trusted = Trusted(
            log_key=opened.key, now=now, policy=opened.policy_of(opened.key), against=kept.notes
        )
        walks = walk_shards(opened.sources, trusted, opened.policy_of, progress)
        damage = (
            _first_loss(opened, kept, walks)
            or walks[-1].report.damage
            or check_twins(opened.sources)
            or _beside(opened)
        )
    reports = [one.report for one in walks]
    facts = {
        "ok": damage is None,
        "shards": len(walks),
        "size": sum(one.entries for one in reports),
        "checkpoints": sum(one.checkpoints for one in reports),
        "open_grants": reports[-1].open_grants,
        "trusted_by": opened.trusted_by,
        "first_bad_index": None if damage is None else damage.index,
        "what": None if damage is None else damage.what,
    }
    if damage is not None and len(opened.sources) > 1:
        facts["first_bad_shard"] = walks[-1].origin
    if opened.policy_doubt is not None:
        facts["policy_file"] = opened.policy_doubt
    return Walked(damage is None, facts)


def export_folder(folder: Path, to: Path, number: int | None = None) -> dict[str, Any]:
    """Write a shard of an exchange's home, the newest by default, as a static tree with its policy file."""
    with opened(_log_home(folder)) as (settings, database):
        reader = LogReader(database, number)
        shard = reader.shard()
        first = _founding_key(settings, reader.shards())
        key = first if shard.number == FIRST else VerifierKey.parse(shard.vkey)
        done = export(reader, to, _policy(settings, database, key))
    return {"to": str(to), "size": done.checkpoint.size, "files_written": done.written}


class _Opened(NamedTuple):
    """A log to walk: its shards, the first one's key, the policy of each, and who named all that."""

    sources: Sequence[LogSource]
    key: VerifierKey
    policy_of: PolicyOf
    trusted_by: str
    database: Database | None = None
    policy_doubt: str | None = None  # what the folder's own policy file says otherwise than the trust root


@contextmanager
def _opened(folder: Path, trust: Path | None) -> Iterator[_Opened]:
    home = _log_home(folder)
    root = TrustFile.load(trust).root if trust else None
    if (home / SETTINGS_FILE).is_file():
        with opened(home) as (settings, database), database.read() as session:
            connection = session.connection()
            shards = log_store.shards(connection)
            sources = [DatabaseSource(connection, shard.number) for shard in shards]
            key = _founding_key(settings, shards)
            if root is None:
                own = _policy(settings, database, key)
                yield _Opened(sources, key, _all_of(own), "the exchange's own keys", database)
            else:
                yield _Opened(sources, root.logs[0].verifier_key, _by_root(root), str(trust), database)
        return
    folders = _shard_folders(home)
    copies = [DirectorySource(one) for one in folders]
    if root is None:
        policy = WitnessPolicy.parse((folders[0] / "policy").read_text())
        yield _Opened(copies, policy.logs[0].key, _all_of(policy), "the folder's own policy file")
        return
    named = {one.origin: one.verifier_key for one in root.logs}
    key = named.get(copies[0].origin, root.logs[0].verifier_key)
    yield _Opened(copies, key, _by_root(root), str(trust), policy_doubt=_policy_doubt(folders, root))


def _policy_doubt(folders: Iterable[Path], root: TrustRoot) -> str | None:
    """Say why other people's tools should not take their witnesses from the policy files in ``folders``."""
    for place in (folder / "policy" for folder in folders):
        try:
            if place.is_file():
                check_policy_file(place.read_bytes(), root)
        except HeadwatersError as error:
            return error.detail
    return None


def _first_loss(opened: _Opened, kept: Kept, walks: Sequence[ShardWalk]) -> Damage | None:
    """Hold every shard that was kept elsewhere as a copy against it, however far the walk came in it."""
    for source, walked in zip(opened.sources, walks, strict=False):
        found = kept.first_loss(source, walked.trusted)
        if found is not None:
            return found
    return None


def _beside(opened: _Opened) -> Damage | None:
    """Hold the rows beside sound shards to their entries."""
    for source in opened.sources:
        if isinstance(source, DatabaseSource) and opened.database is not None:
            found = first_contradiction(opened.database, source.shard.number)
            if found is not None:
                return found
    return None


def _founding_key(settings: Settings, shards: Sequence[Shard]) -> VerifierKey:
    """Give the first shard's key from its file; where that was destroyed after the shard, as it is stored."""
    if settings.log_key_path.is_file() or not shards:
        return NoteSigner(settings.origin, load_key(settings.log_key_path)).verifier_key
    return VerifierKey.parse(shards[0].vkey)


def _policy(settings: Settings, database: Database, log: VerifierKey) -> WitnessPolicy:
    """Build the policy from a shard's key and every key of every witness that was ever admitted."""
    with database.read() as session:
        members = store.list_members(session)
    keys = {m.participant: m.witness_keys for m in members}
    witnesses = {name: [VerifierKey.parse(text) for text in texts] for name, texts in keys.items() if texts}
    if not witnesses:
        return WitnessPolicy((PolicyKey(log),), {}, {}, None)
    return WitnessPolicy.k_of_parties(log, witnesses, min(settings.quorum, len(witnesses)))


def _all_of(policy: WitnessPolicy) -> PolicyOf:
    """Judge cosignatures of every shard by the same witnesses, and only where there are any."""
    return lambda key: own_policy(policy, key) if policy.witnesses else None


def _by_root(root: TrustRoot) -> PolicyOf:
    """Judge cosignatures by the keys that a trust root counts in a shard, ended ones among them."""
    named = {one.origin for one in root.logs}

    def policy_of(key: VerifierKey) -> WitnessPolicy:
        return root.policy_at(key.name, 0) if key.name in named else own_policy(root.witness_policy(), key)

    return policy_of


def _shard_folders(home: Path) -> list[Path]:
    """Give the folders of all shards: the folder itself, or one for each shard, named by its number."""
    if (home / "checkpoint").is_file():
        return [home]
    found: list[Path] = []
    while (home / str(len(found) + 1) / "checkpoint").is_file():
        found.append(home / str(len(found) + 1))
    return found


def _log_home(folder: Path) -> Path:
    """Accept an exchange's home, an exported folder, or a demonstration's home, which holds ``exchange/``."""
    for home in (folder, folder / "exchange"):
        if (home / SETTINGS_FILE).is_file() or _shard_folders(home):
            return home
    raise NoLogHere(f"{folder} holds neither {SETTINGS_FILE} nor a checkpoint")
