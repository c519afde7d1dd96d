"""The reconciliation report: a log walked from end to end, held against what nodes signed and what rows say.

It reads an exchange's home whose process may run or not, or a folder with exported shards. From such a folder
it knows the entries only: the counts behind their digests, and who was behind a refusal, stay closed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from audit.completeness.counts import differences
from audit.completeness.reconcile import PairDay, Problem, Reconciliation, Window
from audit.database import Database
from audit.formats.dsse import parse_envelope
from audit.formats.merkle import leaf_hash
from audit.keys.signing import PublicKey, SignatureInvalid
from audit.log.entry import parse_entry
from audit.log.log_reader import LogReader
from audit.walk.log_source import DatabaseSource, DirectorySource, every_entry
from contracts.canonical import parse_canonical
from contracts.clock import BEIJING, epoch_ms, from_epoch_ms, rfc3339
from contracts.errors import HeadwatersError
from contracts.messages import TransferCount
from exchange.completeness import store
from exchange.completeness.tables import NodeCountRow
from exchange.evidence import reveal
from exchange.log.home import NoLogHere, find_home, open_home
from exchange.members.store import find_member
from exchange.transfers.model import OPEN
from exchange.transfers.store import states
from nodes.signed import read_statement

COUNT_GRACE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Report:
    """What a reconciliation found; ``missing`` are counts that have not come and are overdue."""

    entries: int
    days: tuple[PairDay, ...]
    windows: tuple[Window, ...]
    problems: tuple[Problem, ...]
    missing: tuple[tuple[int, str], ...]

    @property
    def ok(self) -> bool:
        """Whether everything fits and nothing is overdue."""
        return not self.problems and not self.missing

    def facts(self) -> dict[str, object]:
        """Give the report as scripts read it."""
        return {
            "ok": self.ok,
            "entries": self.entries,
            "days": [_day_facts(row) for row in self.days],
            "windows": [_window_facts(window) for window in self.windows],
            "problems": [
                {"code": one.code, "shard": one.shard, "index": one.index, "about": one.about}
                for one in self.problems
            ],
            "missing_counts": [{"window": number, "participant": name} for number, name in self.missing],
        }


def reconcile_folder(folder: Path, day: date | None, *, now: datetime) -> Report:
    """Reconcile the log in ``folder``; with ``day`` (UTC+8) show only what is of that day.

    Raises NoLogHere.
    """
    if find_home(folder) is None:
        return _report(_walk(_exported(folder)), {}, [], day, now=now)
    with open_home(folder) as (_, database):
        found = _walk(_stored(database))
        with database.read() as session:
            providers = _providers(session, found)
            problems = [*_check_counts(session, found), *_check_rows(session, found)]
    return _report(found, providers, problems, day, now=now)


def _walk(leaves: Iterable[tuple[int, bytes]]) -> Reconciliation:
    found = Reconciliation()
    for index, leaf in leaves:
        found.follow(index, parse_entry(leaf), leaf_hash(leaf))
    return found


def _report(
    found: Reconciliation,
    providers: dict[str, str],
    problems: list[Problem],
    day: date | None,
    *,
    now: datetime,
) -> Report:
    windows = [window for window in found.windows if day is None or _touches(window, day)]
    overdue = epoch_ms(now - COUNT_GRACE)
    return Report(
        entries=found.entries,
        days=tuple(row for row in found.days(providers) if day in {None, row.day}),
        windows=tuple(windows),
        problems=(*found.problems, *problems),
        missing=tuple(
            (window.number, name) for window in windows if window.until < overdue for name in window.missing
        ),
    )


# --- where the entries come from -----------------------------------------------------------------------


def _stored(database: Database) -> Iterator[tuple[int, bytes]]:
    for shard in LogReader(database).shards():
        with DatabaseSource.open(database, shard.number) as source:
            yield from ((index, leaf) for index, leaf, *_ in every_entry(source))


def _exported(folder: Path) -> Iterator[tuple[int, bytes]]:
    for place in _shard_folders(folder):
        yield from ((index, leaf) for index, leaf, *_ in every_entry(DirectorySource(place)))


def _shard_folders(folder: Path) -> list[Path]:
    """Find one exported shard, several named by number, or those of a node's mirror; oldest first."""
    if (folder / "checkpoint").is_file():
        return [folder]
    for place in (folder, folder / "mirror"):
        numbered = [one for one in place.glob("*/checkpoint") if one.parent.name.isdecimal()]
        if numbered:
            return sorted((one.parent for one in numbered), key=lambda one: int(one.name))
    raise NoLogHere(f"{folder} holds no log")


# --- what the exchange keeps beside them ---------------------------------------------------------------


def _providers(session: Session, found: Reconciliation) -> dict[str, str]:
    """Name the provider behind each refusal whose evidence is still there."""
    named = {}
    for refusal in found.refusals:
        opened = None if refusal.evidence is None else reveal(session, refusal.evidence)
        if refusal.evidence is not None and opened is not None:
            provider = _provider_in(opened[1])
            if provider is not None:
                named[refusal.evidence] = provider
    return named


def _provider_in(evidence: bytes) -> str | None:
    value = parse_canonical(evidence)
    for name in ("question", "dataset", "provider"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def _check_counts(session: Session, found: Reconciliation) -> Iterator[Problem]:
    """Hold what nodes signed against the log: signature, digest, and every line."""
    for window in found.windows:
        rows = {row.participant: row for row in store.counts_of(session, window.number)}
        for name, count in window.counts.items():
            code = _wrong_count(session, rows.get(name), window, name)
            if code is not None:
                yield Problem(code, count.shard, count.index, name)


def _wrong_count(session: Session, row: NodeCountRow | None, window: Window, name: str) -> str | None:
    if row is None or row.envelope is None:
        return "count-not-kept"
    try:
        signed = read_statement(row.envelope, TransferCount, _signing_key(session, name, row.envelope))
    except HeadwatersError:
        return "count-forged"
    if signed.digest != window.counts[name].digest:
        return "count-replaced"
    return "count-differs" if differences(window.lines(name), signed.statement.lines) else None


def _signing_key(session: Session, participant: str, envelope: str) -> PublicKey:
    """Give the node key of a participant, present or past, that is named in an envelope."""
    member = find_member(session, participant)
    texts = [member.node_key, *(past.key for past in member.past_keys if past.role == "node")]
    keys = [PublicKey.from_text(text) for text in texts if text is not None]
    named = {name for name, _ in parse_envelope(envelope.encode()).signatures}
    for key in keys:
        if key.key_id in named:
            return key
    raise SignatureInvalid("none of the participant's keys has signed")


def _check_rows(session: Session, found: Reconciliation) -> Iterator[Problem]:
    """Hold the rows of transfers against the entries: the same grants, in the same states."""
    logged = {one.grant: (origin, index, one.state) for (origin, index), one in found.grants.items()}
    rows = states(session)
    for grant, state in rows.items():
        origin, index, logged_state = logged.get(grant, ("", 0, None))
        if logged_state != ("open" if state in OPEN else state):
            yield Problem("row-differs", origin, index, grant)
    for grant in sorted(logged.keys() - rows.keys()):
        origin, index, _ = logged[grant]
        yield Problem("row-missing", origin, index, grant)


# --- how it is shown -------------------------------------------------------------------------------------


def _touches(window: Window, day: date) -> bool:
    first, last = (from_epoch_ms(ms).astimezone(BEIJING).date() for ms in (window.since, window.until))
    return first <= day <= last


def _day_facts(row: PairDay) -> dict[str, object]:
    return {
        "day": row.day.isoformat(),
        "provider": row.provider,
        "consumer": row.consumer,
        "asked": row.asked,
        "denied": row.denied,
        "granted": row.granted,
        "done": row.done,
        "aborted": row.aborted,
        "expired": row.expired,
        "open": row.open,
        "size_bytes": row.size_bytes,
    }


def _window_facts(window: Window) -> dict[str, object]:
    return {
        "number": window.number,
        "since": rfc3339(from_epoch_ms(window.since)),
        "until": rfc3339(from_epoch_ms(window.until)),
        "counts": [
            {
                "participant": name,
                "sent": window.counts[name].sent if name in window.counts else None,
                "received": window.counts[name].received if name in window.counts else None,
                "expected_sent": window.totals(name)[0],
                "expected_received": window.totals(name)[1],
            }
            for name in sorted(window.owing | window.counts.keys())
        ],
    }
