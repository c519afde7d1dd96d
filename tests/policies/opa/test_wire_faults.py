"""Whatever a hostile server sends, the decision is a refusal that says where it failed."""

import asyncio

import pytest

from policies.bundle import shipped_bundle
from policies.decision import Decision
from policies.engine import EngineOptions, open_engine
from tests.policies.opa.faults import GOOD, HURRIED_SECONDS, PATIENT_SECONDS, WIRE_FAULTS, Fault, body
from tests.policies.opa.hostile import hostile_server, http
from tests.policies.questions import TRANSFER


def decide(url: str, deadline_seconds: float) -> Decision:
    """Ask once, in an event loop of its own."""
    engine = open_engine(url, shipped_bundle(), EngineOptions(deadline_seconds=deadline_seconds))
    try:
        return asyncio.run(engine.decide(TRANSFER))
    finally:
        engine.close()


def test_without_a_fault_the_answer_permits() -> None:
    """The same server with the same answer and no fault permits, so each fault below is what refuses."""
    with hostile_server(GOOD) as server:
        decision = decide(server.url, PATIENT_SECONDS)

    assert (decision.outcome, decision.engine) == ("permit", "opa/1.20.2")


@pytest.mark.parametrize("fault", WIRE_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_on_the_wire_refuses(fault: Fault) -> None:
    """Each fault ends in an indeterminate refusal with its own code, under the digest that was to decide."""
    with hostile_server(fault.respond) as server:
        decision = decide(server.url, fault.deadline_seconds)

        assert len(server.asked) >= 1

    assert (decision.outcome, decision.codes) == ("indeterminate", [fault.reason])
    assert not decision.allowed
    assert decision.obligations == ()
    assert decision.policy_digest == shipped_bundle().digest
    assert decision.revision == TRANSFER.revision


def test_there_are_enough_kinds_of_faults() -> None:
    """The matrix holds at least forty faults, each under a name of its own."""
    assert len({fault.name for fault in WIRE_FAULTS}) == len(WIRE_FAULTS) >= 40


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """A second server that would permit is never asked, so no question leaves for a place nobody named."""
    with hostile_server(GOOD) as second:
        moved = http(b"", f"{status} Moved", Location=f"{second.url}/v1/data/headwaters/main/answer")
        with hostile_server(moved) as first:
            decision = decide(first.url, PATIENT_SECONDS)

    assert decision.outcome == "indeterminate"
    assert second.asked == []


def test_a_lost_connection_is_asked_again_once() -> None:
    """A question that was lost with its connection goes out a second time, and not a third."""
    lost = next(fault for fault in WIRE_FAULTS if fault.name == "hangs-up")
    with hostile_server(lost.respond) as server:
        decide(server.url, PATIENT_SECONDS)

        assert len(server.asked) == 2


@pytest.mark.parametrize("name", ["status-500", "status-502", "status-503", "html", "other-revision"])
def test_an_answer_is_not_asked_for_again(name: str) -> None:
    """A server that answered is not asked a second time, whatever it said."""
    fault = next(fault for fault in WIRE_FAULTS if fault.name == name)
    with hostile_server(fault.respond) as server:
        decide(server.url, PATIENT_SECONDS)

        assert len(server.asked) == 1


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_environment_names_no_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the environment send no question to a proxy."""
    with hostile_server(GOOD) as proxy, hostile_server(GOOD) as server:
        monkeypatch.setenv(name, proxy.url)
        decision = decide(server.url, PATIENT_SECONDS)

    assert decision.outcome == "permit"
    assert proxy.asked == []


@pytest.mark.parametrize("version", ["", "a b", "<script>", "1" * 60, 7, None])
def test_an_odd_version_is_not_repeated(version: object) -> None:
    """The engine's name goes into the log, so a version that is no version is not taken over."""
    revision = {"headwaters": {"revision": shipped_bundle().digest}}
    with hostile_server(http(body(provenance={"version": version, "bundles": revision}))) as server:
        decision = decide(server.url, PATIENT_SECONDS)

    assert (decision.outcome, decision.engine) == ("permit", "opa/unknown")


def test_a_handshake_that_never_ends_refuses() -> None:
    """The deadline holds over the TLS handshake too: a server that takes the hello and is silent."""
    with hostile_server(GOOD) as server:
        decision = decide(server.url.replace("http:", "https:"), HURRIED_SECONDS)

    assert (decision.outcome, decision.codes) == ("indeterminate", ["pdp:timeout"])


def test_a_name_that_does_not_resolve_refuses() -> None:
    """A server whose name is not known (RFC 6761: .invalid never is) cannot be reached, so it refuses."""
    decision = decide("https://opa.headwaters.invalid", PATIENT_SECONDS)

    assert (decision.outcome, decision.codes) == ("indeterminate", ["pdp:unavailable"])
