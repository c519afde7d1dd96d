"""The parts that the exchange is made of, built once and handed over.

``Parts`` is what every flow receives. What the rooms below need from the rooms above (events, relays,
tallies) comes in as functions, so that imports between rooms point one way; ``exchange.wiring`` connects
them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlmodel import Session

from audit.database import Database, open_database, upgrade
from audit.formats.note import NoteSigner
from audit.keys.signing import SigningKey, load_key
from audit.log.sequencer import Log
from audit.log.unit import Unit
from contracts.clock import Clock, SystemClock
from contracts.messages import Severity, SubscriptionHeads, Text
from exchange.log.second_lines import SecondLines, open_second_lines
from exchange.log.status import LogState
from exchange.mailbox.mailbox import Mailbox
from exchange.members.roll import Roll
from exchange.members.store import logged_statement_key
from exchange.policies.desk import Desk
from exchange.policies.signer import BundleSigner
from exchange.policies.starting import bundle_at_start, shadow_at_start
from exchange.settings import Settings
from exchange.statement_keys import StatementKeys
from exchange.telemetry import Telemetry
from policies.bundle import Bundle
from policies.engine import PolicyEngine, open_engine

MIGRATIONS = "exchange:migrations"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that the whole alliance should hear of, before it has a number and a signature."""

    event_class: str
    severity: Severity
    subject: str | None
    title: Text
    facts: Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class RecentEvent:
    """One event as the status page shows it."""

    number: int
    severity: Severity
    title: Text
    at_ms: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How much there is of everything; rows are rows published, bytes are bytes received."""

    datasets: int = 0
    releases: int = 0
    rows: int = 0
    granted: int = 0
    denied: int = 0
    done: int = 0
    expired: int = 0
    aborted: int = 0
    bytes: int = 0
    events: int = 0
    recent: tuple[RecentEvent, ...] = ()


RecordAlarm: TypeAlias = "Callable[[Parts, Unit, Alarm], int]"
RelayGate: TypeAlias = Callable[[Session, str, str, datetime], str | None]
TallyRooms: TypeAlias = Callable[[Session], Tally]
ReadHeads: TypeAlias = "Callable[[Parts, Session], bytes]"


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the rooms above ``members``, ``mailbox`` and ``log`` bring in.

    ``record_alarm`` writes the event and its ``sec.event`` entry inside the caller's unit and gives its
    number; ``relay_gate`` names an open grant between consumer and provider; ``tally`` counts the rooms;
    ``heads`` gives the canonical bytes of ``SubscriptionHeads``: where every subscription stands.
    """

    record_alarm: RecordAlarm
    relay_gate: RelayGate
    tally: TallyRooms
    heads: ReadHeads


NO_ROOMS = Hooks(
    record_alarm=lambda _parts, _unit, _alarm: 0,
    relay_gate=lambda _session, _consumer, _provider, _now: None,
    tally=lambda _session: Tally(),
    heads=lambda _parts, _session: SubscriptionHeads(heads=[]).canonical(),
)
"""An exchange without the rooms above, as it is while it is founded."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a flow may use."""

    settings: Settings
    clock: Clock
    database: Database
    log: Log
    log_signer: NoteSigner
    second_lines: SecondLines
    statement_keys: StatementKeys
    policy: Desk
    bundle_signer: BundleSigner
    mailbox: Mailbox
    roll: Roll
    log_state: LogState
    telemetry: Telemetry
    hooks: Hooks

    @property
    def statement_key(self) -> SigningKey:
        """Give the key that the exchange signs statements with at this moment."""
        return self.statement_keys.current

    @property
    def shards(self) -> tuple[str, ...]:
        """Name the log's shards, oldest first."""
        return tuple(shard.origin for shard in self.log.shards())

    async def raise_alarm(self, alarm: Alarm) -> int:
        """Record an event in a commit of its own, wake every poll, and give the event's number."""
        committed = await self.log.commit(lambda unit: self.hooks.record_alarm(self, unit, alarm))
        self.mailbox.announce(events=committed.value)
        return committed.value

    def close(self) -> None:
        """Stop the log after what waits, and let go of everything that is held."""
        self.log.close()
        self.policy.close()
        self.database.close()


def build_parts(
    settings: Settings,
    hooks: Hooks = NO_ROOMS,
    clock: Clock | None = None,
    policy: PolicyEngine | None = None,
) -> Parts:
    """Open everything that the settings name; the log is sealed and not started yet.

    ``clock`` and ``policy`` take the place of the machine's clock and of the engine that the settings name.
    The database is brought to the newest schema. Raises KeyFileExposed, KeyFileMissing, BadDatabaseUrl,
    UnknownScheme and SuiteMissing, and StatementKeyLost or PolicyLost where the home lacks the key or the
    policy that the log names.
    """
    clock = clock or SystemClock()
    log_signer = NoteSigner(settings.origin, load_key(settings.log_key_path))
    statement_keys = StatementKeys(settings.statement_key_path)
    database = open_database(settings.database)
    upgrade(database, MIGRATIONS)
    with database.read() as session:
        statement_keys.settle(logged_statement_key(session))
        bundle = bundle_at_start(session, settings.policy_url)
        shadow = shadow_at_start(session)
    desk = Desk(bundle, lambda decides: policy or _engine(settings, decides))
    desk.shadow(shadow)
    return Parts(
        settings=settings,
        clock=clock,
        database=database,
        log=Log(
            database,
            log_signer,
            settings.origin,
            clock,
            settings.commit_window_seconds,
            sealed=True,
            grace=timedelta(seconds=settings.witness_grace_seconds),
            signer_of=lambda number, origin: NoteSigner(origin, load_key(settings.shard_key_path(number))),
        ),
        log_signer=log_signer,
        second_lines=open_second_lines(settings.home / "keys", settings.suites),
        statement_keys=statement_keys,
        policy=desk,
        bundle_signer=BundleSigner(settings.policy_key_path),
        mailbox=Mailbox(statement_keys, clock),
        roll=Roll(database),
        log_state=LogState(),
        telemetry=Telemetry(),
        hooks=hooks,
    )


def _engine(settings: Settings, bundle: Bundle) -> PolicyEngine:
    return open_engine(settings.policy_url, bundle, settings.engine_options)
