"""The exchange's home: one private folder with settings, keys, people's keys and the database.

Folders are 0700 and files 0600; nothing that exists is overwritten. ``init`` writes the first entries of
the log: who it is, which policy decides, and an empty directory.
"""

from pathlib import Path

from audit.commitment import new_salt
from audit.keys.signing import create_key, fingerprint
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.clock import Clock
from contracts.errors import Conflict
from contracts.messages import Role
from exchange.members import flow as members
from exchange.members import store
from exchange.members.model import PersonRecord
from exchange.parts import Parts, build_parts
from exchange.policies.starting import adopt
from exchange.settings import SETTINGS_FILE, format_settings, load_settings


class HomeExists(Conflict):
    """There is something in this folder already."""

    code = "home-exists"
    title_zh = "该目录不为空"
    next_zh = "另选一个空目录;已有的主目录绝不覆盖。"
    next_en = "Choose an empty folder; an existing home is never overwritten."


def init(
    home: Path,
    *,
    origin: str,
    public_url: str,
    quorum: int = 5,
    witnesses: int = 7,
    database_url: str = "",
    listen: str = "127.0.0.1:8420",
    clock: Clock | None = None,
) -> dict[str, str]:
    """Found an exchange in an empty folder and give what people need to know of it.

    Each role gets a key of its own under ``people/``. Raises HomeExists and SettingsInvalid.
    """
    if home.exists() and any(home.iterdir()):
        raise HomeExists(f"{home} is not empty")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    chosen: dict[str, str | int] = {
        "origin": origin,
        "public_url": public_url,
        "listen": listen,
        "quorum": quorum,
        "witnesses": witnesses,
    }
    if database_url:
        chosen["database_url"] = database_url
    _write(home / SETTINGS_FILE, format_settings(chosen))
    settings = load_settings(home)
    for folder in ("keys", "people", "run"):
        (home / folder).mkdir(mode=0o700)
    log_key = create_key(settings.log_key_path)
    create_key(settings.statement_key_path)
    people = [_person(home, role) for role in Role]
    parts = build_parts(settings, clock=clock)
    try:
        parts.log.start()
        parts.log.unseal()  # there is no witness yet, and nothing that one could have seen
        parts.log.commit_blocking(lambda unit: _first_entries(parts, unit, people))
    finally:
        parts.close()
    return {
        "home": str(home),
        "origin": settings.origin,
        "public_url": settings.public_url,
        "log_vkey": str(parts.log_signer.verifier_key),
        "log_fingerprint": fingerprint(log_key.public.text),
        "statement_key": parts.statement_key.public.text,
        "people": ", ".join(person.name for person in people),
    }


def _person(home: Path, role: Role) -> PersonRecord:
    key = create_key(home / "people" / f"{role.value}.key")
    return PersonRecord(role.value, frozenset({role}), key.public.text, new_salt())


def _first_entries(parts: Parts, unit: Unit, people: list[PersonRecord]) -> None:
    nothing_before = {"from": None, "prev": None, "size": None, "hds": None}
    unit.append(Entry(EntryKind.SHARD_OPEN, unit.now, {"origin": parts.settings.origin, **nothing_before}))
    for person in people:
        store.save_person(unit.session, person)
    adopt(unit, parts.policy.bundle)
    members.issue_directory(parts, unit)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")
