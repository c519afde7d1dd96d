"""Whatever goes wrong with the policy engine: refused, on record before anybody hears of it, and alarmed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from audit.log.entry import EntryKind
from contracts.clock import FrozenClock
from contracts.errors import Refused
from exchange.incidents.model import UNDECIDED, UNDECIDED_COOL_DOWN
from exchange.policies import ledger
from exchange.policies.desk import Desk
from policies import embedded
from policies.bundle import Bundle, shipped_bundle
from policies.embedded import EmbeddedEngine
from policies.engine import EngineOptions, PolicyEngine, open_engine
from policies.opa.server import ServerEngine
from tests.exchange.policies.office import closed, wide
from tests.exchange.trading import START, Alliance, Trade, trade_in
from tests.opa_server import Opa, free_ports, opa_server, serving
from tests.policies.opa.faults import WIRE_FAULTS, Fault
from tests.policies.opa.hostile import hostile_server

PATIENT = EngineOptions(deadline_seconds=30)
HEAD = "package headwaters.main\n\nimport rego.v1\n\n"


@pytest.fixture(scope="module")
def standing_trade(exchange_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trade]:
    """Give one trade to the whole module; between two faults the clock goes on."""
    home = tmp_path_factory.mktemp("faults") / "home"
    shutil.copytree(exchange_home, home)
    alliance = Alliance(home, FrozenClock(START))
    yield trade_in(alliance)
    alliance.close()


def _refused(trade: Trade, engine: PolicyEngine) -> list[str]:
    """Ask for a release while ``engine`` decides; hold everything that must follow, and give the codes."""
    alliance = trade.alliance
    alliance.clock.advance((UNDECIDED_COOL_DOWN + timedelta(seconds=1)).total_seconds())
    size, whole = alliance.parts.log.size(), alliance.parts
    desk = Desk(shipped_bundle(), lambda _: engine)
    alliance.parts = replace(whole, policy=desk)
    try:
        with pytest.raises(Refused) as refusal:
            alliance.request(trade.consumer, trade.subscription)
    finally:
        alliance.parts = whole
        desk.close()
    added = alliance.entries()[size:]
    with whole.database.read() as session:
        kept = ledger.find_decision(session, str(refusal.value.facts["decision"]))

    assert [entry.kind for entry in added] == [EntryKind.DENY, EntryKind.SECURITY_EVENT]
    assert added[0].fields["dec"] == refusal.value.facts["decision"]
    assert added[0].fields["pol"] == shipped_bundle().digest
    assert (added[1].fields["cls"], added[1].fields["sev"]) == (UNDECIDED, "high")
    assert kept is not None
    assert (kept.outcome, kept.participant) == ("indeterminate", trade.consumer.id)
    assert added[0].fields["why"] == [code.replace(":", ".") for code in kept.codes]
    return kept.codes


def test_without_a_fault_it_is_granted(trade: Trade) -> None:
    """The same request under a whole engine is a grant, so each fault below is what refuses."""
    assert trade.alliance.request(trade.consumer, trade.subscription).grant_envelope


@pytest.mark.parametrize("fault", WIRE_FAULTS, ids=lambda fault: fault.name)
def test_faults_on_the_wire(standing_trade: Trade, fault: Fault) -> None:
    """Whatever a server sends or does not send ends in a refusal, a durable ``deny`` entry and an alarm."""
    with hostile_server(fault.respond) as server:
        options = EngineOptions(deadline_seconds=fault.deadline_seconds)
        codes = _refused(standing_trade, open_engine(server.url, shipped_bundle(), options))

    assert codes == [fault.reason]


def _panics(monkeypatch: pytest.MonkeyPatch) -> PolicyEngine:
    class PanicException(BaseException):  # the native module's own name
        pass

    PanicException.__module__ = "pyo3_runtime"

    class Engine:
        def set_input_json(self, _text: str) -> None:
            raise PanicException

    monkeypatch.setattr(embedded, "build_engine", lambda _: Engine())
    embedded._ENGINES.by_digest.clear()
    return EmbeddedEngine(shipped_bundle())


def _under(text: str) -> Callable[[pytest.MonkeyPatch], PolicyEngine]:
    """Give an engine that answers for the bundle in force and evaluates other rules."""

    def engine(monkeypatch: pytest.MonkeyPatch) -> PolicyEngine:
        build = embedded.build_engine
        rules = Bundle({"headwaters/main.rego": (HEAD + text).encode()})
        monkeypatch.setattr(embedded, "build_engine", lambda _: build(rules))
        embedded._ENGINES.by_digest.clear()
        return EmbeddedEngine(shipped_bundle())

    return engine


def _closed(_monkeypatch: pytest.MonkeyPatch) -> PolicyEngine:
    engine = EmbeddedEngine(shipped_bundle())
    engine.close()
    return engine


INSIDE: dict[str, tuple[Callable[[pytest.MonkeyPatch], PolicyEngine], str]] = {
    "closed": (_closed, "pdp:closed"),
    "panics": (_panics, "pdp:panic"),
    "does-not-parse": (_under("answer := {"), "pdp:error"),
    "no-such-rule": (_under("other := 1"), "pdp:error"),
    "undefined": (_under("answer := 1 if input.v == 1"), "pdp:undefined"),
    "conflict": (_under("answer := 1\n\nanswer := 2 if input.v == 2"), "pdp:error"),
    "built-in-fails": (_under('answer := time.parse_rfc3339_ns("x")'), "pdp:error"),
    "text": (_under('answer := "permit"'), "pdp:bad-answer"),
    "true": (_under("answer := true"), "pdp:bad-answer"),
}


@pytest.mark.parametrize("name", INSIDE)
def test_faults_of_the_engine_in_this_process(
    standing_trade: Trade, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A closed, crashed or failing interpreter refuses as a server does."""
    make, reason = INSIDE[name]
    with monkeypatch.context() as patch:
        codes = _refused(standing_trade, make(patch))
    embedded._ENGINES.by_digest.clear()

    assert codes == [reason]


def _killed(running: Opa) -> ServerEngine:
    running.kill()
    return ServerEngine(running.url, shipped_bundle().digest, PATIENT)


def _stale(running: Opa) -> ServerEngine:
    return ServerEngine(running.url, shipped_bundle().digest, PATIENT)


REAL: dict[str, tuple[Callable[[], AbstractContextManager[Opa]], Callable[[Opa], ServerEngine], str]] = {
    "killed": (lambda: serving(shipped_bundle()), _killed, "pdp:unavailable"),
    "stale": (lambda: serving(wide()), _stale, "pdp:wrong-bundle"),
    "no-bundle-yet": (lambda: opa_server(ready=False), _stale, "pdp:wrong-bundle"),
}


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_faults_of_a_real_server(standing_trade: Trade, name: str) -> None:
    """A real OPA that is killed, has another bundle, or has none refuses and is on record."""
    start, engine_of, reason = REAL[name]
    with start() as running:
        codes = _refused(standing_trade, engine_of(running))

    assert codes == [reason]


def test_nobody_listens(standing_trade: Trade) -> None:
    """A server that was never started refuses and is on record."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}"

    engine = ServerEngine(url, shipped_bundle().digest, PATIENT)

    assert _refused(standing_trade, engine) == ["pdp:unavailable"]


def test_the_alarm_is_raised_once_in_ten_minutes(trade: Trade) -> None:
    """An engine that stays down is one alarm in ten minutes, and every refusal is on record."""
    alliance = trade.alliance
    desk = Desk(closed(), EmbeddedEngine)
    desk.close()
    alliance.parts = replace(alliance.parts, policy=desk)
    for seconds in (0, 60, 539, 1):
        alliance.clock.advance(seconds)
        with pytest.raises(Refused):
            alliance.request(trade.consumer, trade.subscription)

    raised = [entry.fields["cls"] for entry in alliance.entries(EntryKind.SECURITY_EVENT)]
    assert len(alliance.entries(EntryKind.DENY)) == 4
    assert raised == [UNDECIDED] * 2


def test_a_refusal_by_the_rules_raises_no_such_alarm(trade: Trade) -> None:
    """Only a policy that could not decide is alarming; one that refuses does its work."""
    with pytest.raises(Refused):
        trade.alliance.apply(trade.consumer, purpose="never-offered")

    assert trade.alliance.entries(EntryKind.SECURITY_EVENT) == []


def test_there_are_enough_kinds_of_faults() -> None:
    """At least forty kinds are played at the exchange, up to the entry and the alarm."""
    assert len(WIRE_FAULTS) + len(INSIDE) + len(REAL) >= 40
