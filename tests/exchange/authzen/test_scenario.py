"""The certification scenario of the AuthZEN Authorization API 1.0, core levels, test by test.

The OpenID working group's scenario (authorization-api-1_0-scenario, 2026) knows ``alice`` and ``bob`` who
``read`` and ``write`` ``record-1``. Here alice is a participant under an agreement and bob one without; to
read is to apply, to write is to receive. Test ids are the scenario's. The levels "properties" do not apply:
facts are the exchange's own, and a caller's properties decide nothing.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.exchange.policies.askers import Asker, as_node, as_person
from tests.exchange.trading import DATASET, Alliance, trade_in

NAMES = {"user": "participant", "record": "dataset", "read": "apply", "write": "transfer"}
RECORD_1, RECORD_2 = DATASET, "city-water"
EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
SUBJECTS, RESOURCES, ACTIONS = (f"/access/v1/search/{one}" for one in ("subject", "resource", "action"))


@dataclass(frozen=True)
class Fixture:
    """The scenario's fixture, and an auditor who asks."""

    alice: str
    bob: str
    auditor: Asker

    def user(self, name: str) -> dict[str, str]:
        return {"type": "participant", "id": getattr(self, name)}


@pytest.fixture
def fixture(alliance: Alliance) -> Fixture:
    """Let alice agree with a provider of two datasets, and bob join only."""
    trade = trade_in(alliance)
    alliance.declare(trade.provider, RECORD_2)
    return Fixture(trade.consumer.id, alliance.join().id, as_person(alliance, "auditor"))


def record(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "dataset", "id": name, **more}


def action(name: str) -> dict[str, str]:
    return {"name": NAMES[name]}


def whole(fixture: Fixture, who: str, what: str, **more: Any) -> dict[str, Any]:
    return {"subject": fixture.user(who), "action": action(what), "resource": record(RECORD_1), **more}


@pytest.mark.parametrize(
    ("who", "what", "decision"),
    [("alice", "read", True), ("alice", "write", True), ("bob", "read", True), ("bob", "write", False)],
)
def test_fixture_decisions(fixture: Fixture, who: str, what: str, decision: bool) -> None:
    """c-2-2-1, c-2-2-2, c-2-3, c-2-6: the fixture's decisions, boolean, as JSON, the same each time."""
    for _ in range(3):
        answer = fixture.auditor.post(EVALUATION, whole(fixture, who, what))

        assert (answer.status_code, answer.json()["decision"]) == (200, decision)
        assert answer.headers["content-type"] == "application/json"
        assert isinstance(answer.json()["context"], dict)


def test_context_properties_and_unknown_fields_change_nothing(fixture: Fixture) -> None:
    """c-2-2-3, c-2-2-8, c-2-2-9: what is optional, additional or unknown is accepted and decides nothing."""
    asked = whole(
        fixture,
        "alice",
        "read",
        context={"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"},
        foo="bar",
        futureField={"nested": True},
    )
    asked["subject"]["properties"] = {"department": "Sales", "role": "manager"}
    asked["action"]["properties"] = {"method": "GET"}
    asked["resource"]["properties"] = {"status": "active", "owner": "bob"}

    assert fixture.auditor.post(EVALUATION, asked).json()["decision"] is True


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", None),
        ("action", None),
        ("resource", None),
        ("subject", {"id": "p-aaaaaaaaaaaa"}),
        ("subject", {"type": "participant"}),
        ("action", {}),
        ("resource", {"id": RECORD_1}),
        ("resource", {"type": "dataset"}),
        ("subject", "alice"),
        ("action", {"name": 123}),
    ],
)
def test_what_is_missing_or_of_a_wrong_type_is_a_bad_request(
    fixture: Fixture, field: str, value: Any
) -> None:
    """c-2-4-1, c-2-4-2, c-2-4-6: 400 for each field that is missing, lacks a part, or has a wrong type."""
    asked = whole(fixture, "alice", "read")
    if value is None:
        del asked[field]
    else:
        asked[field] = value

    assert fixture.auditor.post(EVALUATION, asked).status_code == 400


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"{}", "text/plain"), (b"{not json", "application/json"), (b"", "application/json")],
)
def test_a_body_that_is_no_json_is_a_bad_request(fixture: Fixture, content: bytes, kind: str) -> None:
    """c-2-4-3, c-2-4-4, c-2-4-5: 400 for another content type, malformed JSON and an empty body."""
    answer = fixture.auditor.send("POST", EVALUATION, content=content, headers={"content-type": kind})

    assert answer.status_code == 400


def test_the_request_id_comes_back(fixture: Fixture) -> None:
    """c-2-5: the caller's X-Request-ID is echoed; without one nothing fails."""
    for given in ("bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "7", "a.b:c/d"):
        answer = fixture.auditor.send(
            "POST", EVALUATION, json=whole(fixture, "alice", "read"), headers={"x-request-id": given}
        )
        assert answer.headers["x-request-id"] == given

    assert fixture.auditor.post(EVALUATION, whole(fixture, "alice", "read")).status_code == 200


def test_a_batch_takes_defaults_and_keeps_its_order(fixture: Fixture) -> None:
    """c-3-2-1, c-3-2-2, c-3-2-5, c-3-2-6, c-3-3: whole entities are inherited; one answer each, in order."""
    shared = {"subject": fixture.user("bob"), "resource": record(RECORD_1)}
    by_action = {**shared, "evaluations": [{"action": action("read")}, {"action": action("write")}]}
    complete = {"evaluations": [whole(fixture, "alice", "read"), whole(fixture, "bob", "write")]}
    with_context = {
        "subject": fixture.user("alice"),
        "action": action("read"),
        "context": {"time": "2025-06-27T18:03-07:00"},
        "evaluations": [
            {"resource": record(RECORD_1)},
            {"resource": record(RECORD_2), "context": {"source": "batch-override"}},
        ],
    }

    for asked, decisions in (
        (by_action, [True, False]),
        (complete, [True, False]),
        (with_context, [True] * 2),
    ):
        answer = fixture.auditor.post(EVALUATIONS, asked)
        assert answer.status_code == 200
        assert [one["decision"] for one in answer.json()["evaluations"]] == decisions
        assert "decision" not in answer.json()


def test_a_faulty_entry_is_denied_in_its_place(fixture: Fixture) -> None:
    """c-3-4-1: an entry that is no whole question is ``false`` with its fault; the others are answered."""
    asked = {
        "subject": fixture.user("alice"),
        "action": action("read"),
        "options": {"evaluations_semantic": "execute_all"},
        "evaluations": [{"resource": record(RECORD_1)}, {}],
    }

    answer = fixture.auditor.post(EVALUATIONS, asked)

    first, second = answer.json()["evaluations"]
    assert (answer.status_code, first["decision"], second["decision"]) == (200, True, False)
    assert second["context"]["error"]["status"] == 400


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
def test_a_batch_without_entries_is_one_question(fixture: Fixture, more: dict[str, Any]) -> None:
    """c-3-4-2, c-3-4-3: without entries the batch answers as the single evaluation does."""
    answer = fixture.auditor.post(EVALUATIONS, whole(fixture, "alice", "read", **more))

    assert (answer.status_code, answer.json()["decision"]) == (200, True)


def test_subjects_are_found(fixture: Fixture) -> None:
    """c-4-2: everybody who may read record-1, whatever context or subject id comes along."""
    asked = {"subject": {"type": "participant"}, "action": action("read"), "resource": record(RECORD_1)}
    results = []
    for more in (
        {},
        {"context": {"ip": "192.168.1.1"}},
        {"subject": {"type": "participant", "id": fixture.alice}},
    ):
        answer = fixture.auditor.post(SUBJECTS, {**asked, **more})
        assert answer.status_code == 200
        results.append(answer.json()["results"])

    assert {one["id"] for one in results[0]} == {fixture.alice, fixture.bob}
    assert {one["type"] for one in results[0]} == {"participant"}
    assert results[0] == results[1] == results[2]


def test_resources_are_found(fixture: Fixture) -> None:
    """c-4-3: every record that alice may read, whatever context or resource id comes along."""
    asked = {"subject": fixture.user("alice"), "action": action("read"), "resource": {"type": "dataset"}}
    for more in ({}, {"context": {"ip": "192.168.1.1"}}, {"resource": record(RECORD_1)}):
        answer = fixture.auditor.post(RESOURCES, {**asked, **more})

        assert answer.status_code == 200
        assert [one["id"] for one in answer.json()["results"]] == [RECORD_1, RECORD_2]


def test_actions_are_found(fixture: Fixture) -> None:
    """c-4-4: alice may read and write record-1, bob may only read it."""
    for who, names in (("alice", ["apply", "transfer"]), ("bob", ["apply"])):
        asked = {"subject": fixture.user(who), "resource": record(RECORD_1), "context": {"time": "now"}}
        answer = fixture.auditor.post(ACTIONS, asked)

        assert [one["name"] for one in answer.json()["results"]] == names


def test_pages_follow_each_other(fixture: Fixture) -> None:
    """c-4-5: a limit is kept, the token leads on, and an empty token ends the results."""
    asked = {"subject": {"type": "participant"}, "action": action("read"), "resource": record(RECORD_1)}
    first = fixture.auditor.post(SUBJECTS, {**asked, "page": {"limit": 1}}).json()
    token = first["page"]["next_token"]
    second = fixture.auditor.post(SUBJECTS, {**asked, "page": {"token": token, "limit": 1}}).json()

    assert token
    assert (first["page"]["count"], second["page"]["next_token"]) == (1, "")
    found = {one["id"] for page in (first, second) for one in page["results"]}
    assert found == {fixture.alice, fixture.bob}


def test_what_is_unknown_gives_empty_results(fixture: Fixture) -> None:
    """c-4-6: an unknown id or an unknown type finds nothing and is no error, in all three searches."""
    ghost, ship = {"type": "participant", "id": "nonexistent-user"}, {"type": "spaceship", "id": "x"}
    rec, read = record(RECORD_1), action("read")
    for path, asked in (
        (SUBJECTS, {"subject": ship, "action": read, "resource": rec}),
        (SUBJECTS, {"subject": ghost, "action": read, "resource": record("no-such-record")}),
        (SUBJECTS, {"subject": ghost, "action": {"name": "delete"}, "resource": rec}),
        (RESOURCES, {"subject": ghost, "action": read, "resource": {"type": "dataset"}}),
        (RESOURCES, {"subject": fixture.user("alice"), "action": read, "resource": {"type": "moon"}}),
        (ACTIONS, {"subject": ghost, "resource": rec}),
        (ACTIONS, {"subject": ship, "resource": rec}),
    ):
        answer = fixture.auditor.post(path, asked)
        assert (answer.status_code, answer.json()["results"]) == (200, []), asked


def test_a_search_names_what_it_starts_from(fixture: Fixture) -> None:
    """c-4-7: 400 where a search lacks a field, or the id of an entity that is not searched for."""
    anyone, alice = {"type": "participant"}, fixture.user("alice")
    rec, any_record, read = record(RECORD_1), {"type": "dataset"}, action("read")
    for path, asked in (
        (SUBJECTS, {"subject": anyone, "resource": rec}),
        (RESOURCES, {"action": read, "resource": any_record}),
        (ACTIONS, {"subject": alice}),
        (SUBJECTS, {"subject": anyone, "action": read, "resource": any_record}),
        (RESOURCES, {"subject": anyone, "action": read, "resource": any_record}),
        (ACTIONS, {"subject": anyone, "resource": rec}),
    ):
        assert fixture.auditor.post(path, asked).status_code == 400, asked


def test_the_decision_point_describes_itself(alliance: Alliance) -> None:
    """c-6: open metadata names the decision point by its own address, and every endpoint below it."""
    node = as_node(alliance, alliance.join())

    answer = node.get("/.well-known/authzen-configuration")

    told = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert told["policy_decision_point"] == alliance.parts.settings.public_url
    assert told["access_evaluation_endpoint"] == told["policy_decision_point"] + EVALUATION
    assert told["access_evaluations_endpoint"].endswith(EVALUATIONS)
    assert {
        told[f"search_{one}_endpoint"].rpartition("/")[2] for one in ("subject", "resource", "action")
    } == {
        "subject",
        "resource",
        "action",
    }
