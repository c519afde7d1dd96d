"""Who may ask the decision point what, what a denied question leaves behind, and what cannot be asked."""

from datetime import timedelta
from typing import Any

import pytest

from audit.log.entry import EntryKind
from contracts.clock import rfc3339
from contracts.messages import Condition, Hours, Level, MemberStatus, SecurityEvent, Sharing
from exchange.authzen.shapes import MAX_EVALUATIONS
from exchange.incidents import flow as incidents
from exchange.incidents.model import LOGGED_DENIALS
from nodes.signed import peek_statement
from tests.exchange.policies.askers import as_node, as_person, question
from tests.exchange.trading import DATASET, START, Alliance, Trade

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
SEARCH = "/access/v1/search/"


def error_of(answer: Any) -> tuple[bool, int, str]:
    """Give what an answer says of a question that could not be asked."""
    told = answer.json()
    error = told["context"]["error"]
    return told["decision"], error["status"], error["code"]


def codes(answer: Any) -> list[str]:
    """Give an answer's reason codes."""
    return [reason["code"] for reason in answer.json()["context"]["reasons"]]


def test_a_node_asks_about_itself_only(trade: Trade) -> None:
    """A node is refused for another subject in a question, anywhere in a batch, and in every search."""
    node, other = as_node(trade.alliance, trade.consumer), trade.provider.id
    own, foreign = question(trade.consumer.id, "transfer"), question(other, "apply")
    resources = {**foreign, "resource": {"type": "dataset"}}

    for path, body in (
        (EVALUATION, foreign),
        (EVALUATIONS, {"evaluations": [own, foreign]}),
        (EVALUATION, {**own, "subject": {"type": "person", "id": trade.consumer.id}}),
        (SEARCH + "subject", own),
        (SEARCH + "resource", resources),
        (SEARCH + "action", foreign),
    ):
        answer = node.post(path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "others-business"), path

    assert node.post(EVALUATION, own).json()["decision"] is True


def test_a_node_finds_what_it_may_do_itself(trade: Trade) -> None:
    """Resource and action search answer a node about itself, with purposes and agreements."""
    node = as_node(trade.alliance, trade.consumer)
    asked = {**question(trade.consumer.id, "transfer"), "resource": {"type": "dataset"}}

    [found] = node.post(SEARCH + "resource", asked).json()["results"]
    actions = node.post(SEARCH + "action", question(trade.consumer.id, "apply")).json()["results"]

    assert found["id"] == DATASET
    assert found["properties"] == {"agreements": [trade.agreement], "purposes": ["joint-control"]}
    assert actions == [{"name": "apply"}, {"name": "transfer"}]


@pytest.mark.parametrize(("person", "status"), [("auditor", 200), ("administrator", 200), ("operator", 403)])
def test_auditors_and_administrators_ask_about_anyone(trade: Trade, person: str, status: int) -> None:
    """People ask by role: an operator may not."""
    answer = as_person(trade.alliance, person).post(EVALUATION, question(trade.consumer.id, "transfer"))

    assert answer.status_code == status


def test_a_suspended_node_may_not_even_ask(trade: Trade) -> None:
    """Who may not act is told so before any question is looked at."""
    node = as_node(trade.alliance, trade.consumer)
    trade.alliance.set_status(trade.consumer, MemberStatus.SUSPENDED)

    answer = node.post(EVALUATION, question(trade.consumer.id, "transfer"))

    assert (answer.status_code, answer.json()["code"]) == (403, "member-not-active")


def test_a_permit_tells_its_ground_and_its_duties_and_leaves_no_entry(trade: Trade) -> None:
    """To ask is not to act: the answer says what would bind a transfer, and the log stays as it was."""
    before = len(trade.alliance.entries())

    answer = as_node(trade.alliance, trade.consumer).post(EVALUATION, question(trade.consumer.id, "transfer"))

    told = answer.json()["context"]
    assert (told["outcome"], told["agreement"], told["purpose"]) == (
        "permit",
        trade.agreement,
        "joint-control",
    )
    assert told["policy"] == trade.alliance.parts.policy.digest
    assert [duty["kind"] for duty in told["obligations"]] == ["purpose-binding"]
    assert answer.headers["cache-control"] == "no-store"
    assert len(trade.alliance.entries()) == before


def test_a_nodes_denied_question_is_logged_before_it_is_answered(alliance: Alliance) -> None:
    """A refusal that was only asked for is on record like any other, with every code."""
    provider, node = alliance.join(), alliance.join()
    alliance.declare(provider, sharing=Sharing.NOT_SHARED)

    answer = as_node(alliance, node).post(EVALUATION, question(node.id, "apply"))

    assert answer.json()["decision"] is False
    [entry] = alliance.entries(EntryKind.DENY)
    assert (entry.fields["cons"], entry.fields["act"]) == (node.id, "apply")
    assert entry.fields["why"] == codes(answer) == ["dataset-not-shared"]
    assert entry.fields["dec"] == answer.json()["context"]["decision_id"]


def test_an_auditors_question_leaves_no_entry(alliance: Alliance) -> None:
    """A review by people is no attempt of the participant that it is about."""
    provider, node = alliance.join(), alliance.join()
    alliance.declare(provider, sharing=Sharing.NOT_SHARED)

    answer = as_person(alliance, "auditor").post(EVALUATION, question(node.id, "apply"))

    assert answer.json()["decision"] is False
    assert alliance.entries(EntryKind.DENY) == []


def test_asking_counts_towards_probing(alliance: Alliance) -> None:
    """Denied questions about three datasets within a minute raise the alarm, in a batch too."""
    provider, node = alliance.join(), alliance.join()
    names = ["city-air", "city-water", "city-noise"]
    for name in names:
        alliance.declare(provider, name, sharing=Sharing.NOT_SHARED)

    as_node(alliance, node).post(
        EVALUATIONS, {"evaluations": [question(node.id, "apply", name) for name in names]}
    )

    [envelope] = incidents.events(alliance.parts, 0).events
    event = peek_statement(envelope, SecurityEvent).statement
    assert (event.event_class, event.subject) == ("access.probing", node.id)


@pytest.mark.parametrize("kind", ["action", "resource"])
def test_a_nodes_search_that_finds_nothing_is_on_record(alliance: Alliance, kind: str) -> None:
    """To search is no way to probe unseen: a denied search counts as one denied question, people's do not."""
    provider, node = alliance.join(), alliance.join()
    alliance.declare(provider, sharing=Sharing.NOT_SHARED)
    asked = question(node.id, "apply")
    asked = asked if kind == "action" else {**asked, "resource": {"type": "dataset"}}

    as_person(alliance, "auditor").post(SEARCH + kind, asked)
    assert alliance.entries(EntryKind.DENY) == []
    answer = as_node(alliance, node).post(SEARCH + kind, asked)

    assert answer.json()["results"] == []
    [entry] = alliance.entries(EntryKind.DENY)
    assert (entry.fields["cons"], entry.fields["why"]) == (node.id, ["dataset-not-shared"])


def test_searching_is_refused_beyond_the_limit(alliance: Alliance) -> None:
    """Whoever was denied too often in a minute gets no more answers by searching either."""
    provider, node = alliance.join(), alliance.join()
    alliance.declare(provider, sharing=Sharing.NOT_SHARED)
    asker, asked = as_node(alliance, node), question(node.id, "apply")
    asker.post(EVALUATIONS, {"evaluations": [asked] * LOGGED_DENIALS})

    assert asker.post(SEARCH + "action", asked).status_code == 429


def test_a_moment_before_1970_is_past_and_no_fault(trade: Trade) -> None:
    """No node can cry wolf: what it asks for is denied, and never an engine that seems unable to decide."""
    asked = question(trade.consumer.id, "apply", until="0001-01-01T00:00:00.000Z")

    answer = as_node(trade.alliance, trade.consumer).post(EVALUATION, asked)

    assert codes(answer) == ["application-time-past"]
    assert incidents.events(trade.alliance.parts, 0).events == []


def test_too_many_denied_questions_are_refused(alliance: Alliance) -> None:
    """Beyond the limit of a minute the answer is 429, and the log gets no more entries of their own."""
    provider, node = alliance.join(), alliance.join()
    alliance.declare(provider, sharing=Sharing.NOT_SHARED)
    asker, asked = as_node(alliance, node), question(node.id, "apply")
    batch = {"evaluations": [asked] * LOGGED_DENIALS}

    assert asker.post(EVALUATIONS, batch).status_code == 200
    answer = asker.post(EVALUATION, asked)

    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-denials")
    assert len(alliance.entries(EntryKind.DENY)) == LOGGED_DENIALS


@pytest.mark.parametrize(
    ("action", "dataset", "context", "expected"),
    [
        ("apply", "no-such-dataset", {}, (404, "dataset-unknown")),
        ("delete", DATASET, {}, (404, "not-asked-here")),
        ("transfer", DATASET, {}, (404, "agreement-unknown")),
        ("apply", "city-two", {}, (400, "purpose-needed")),
    ],
)
def test_what_cannot_be_asked_is_false_with_its_error(
    alliance: Alliance, action: str, dataset: str, context: dict[str, str], expected: tuple[int, str]
) -> None:
    """No such dataset, action, agreement or purpose: ``false``, 200, and why."""
    provider, node = alliance.join(), alliance.join()
    alliance.declare(provider)
    alliance.declare(provider, "city-two", purposes=["joint-control", "green-credit"])

    answer = as_person(alliance, "auditor").post(EVALUATION, question(node.id, action, dataset, **context))

    assert (answer.status_code, error_of(answer)) == (200, (False, *expected))


def test_neither_the_provider_nor_a_stranger_is_a_subject(trade: Trade) -> None:
    """A provider does not apply for its own dataset, and who is not in the alliance does nothing."""
    auditor = as_person(trade.alliance, "auditor")

    own = auditor.post(EVALUATION, question(trade.provider.id, "apply"))
    stranger = auditor.post(EVALUATION, question("p-zzzzzzzzzzzz", "apply"))

    assert error_of(own) == (False, 409, "own-dataset")
    assert error_of(stranger) == (False, 404, "unknown-member")


def test_the_context_names_purpose_agreement_and_time(trade: Trade) -> None:
    """The purpose is the caller's to name; an agreement must be the subject's own; a time limit is judged."""
    node, me = as_node(trade.alliance, trade.consumer), trade.consumer.id
    past = rfc3339(START - timedelta(days=1))

    assert codes(node.post(EVALUATION, question(me, "apply", purpose="curiosity"))) == ["purpose-not-offered"]
    assert codes(node.post(EVALUATION, question(me, "apply", until=past))) == ["application-time-past"]
    named = node.post(EVALUATION, question(me, "transfer", agreement=trade.agreement))
    foreign = node.post(EVALUATION, question(me, "transfer", agreement="a-aaaaaaaaaaaa"))
    assert named.json()["decision"] is True
    assert error_of(foreign) == (False, 404, "agreement-unknown")


def test_people_suppose_a_moment_and_an_address_and_nodes_do_not(alliance: Alliance) -> None:
    """An auditor asks about another hour and another network; a node's context changes neither."""
    provider, consumer = alliance.join(), alliance.join()
    office = Condition(hours=Hours(begin=8, end=10), networks=["10.51.0.0/16"])
    alliance.declare(provider, conditions=[office])  # START is 9 o'clock in Beijing
    alliance.publish(provider)
    alliance.agreed(consumer)
    supposed = {"at": rfc3339(START + timedelta(hours=2)), "address": "10.51.3.4"}
    fits = question(consumer.id, "transfer", address="10.51.3.4")
    auditor = as_person(alliance, "auditor")

    assert auditor.post(EVALUATION, fits).json()["decision"] is True
    assert codes(auditor.post(EVALUATION, question(consumer.id, "transfer", **supposed))) == [
        "hour-not-allowed"
    ]
    assert "network-not-allowed" in codes(as_node(alliance, consumer).post(EVALUATION, fits))


@pytest.mark.parametrize(
    ("semantic", "decisions"),
    [
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_a_batch_stops_where_its_semantic_says(trade: Trade, semantic: str, decisions: list[bool]) -> None:
    """All answers, or those up to the first denial or the first permit."""
    me = trade.consumer.id
    asked = [question(me, "apply"), question(me, "apply", purpose="curiosity"), question(me, "transfer")]

    answer = as_person(trade.alliance, "auditor").post(
        EVALUATIONS, {"evaluations": asked, "options": {"evaluations_semantic": semantic}}
    )

    assert [one["decision"] for one in answer.json()["evaluations"]] == decisions


@pytest.mark.parametrize(
    "body",
    [
        {"evaluations": [{}] * (MAX_EVALUATIONS + 1)},
        {"evaluations": {"0": {}}},
        {"evaluations": [{}], "options": {"evaluations_semantic": "first_come"}},
        {"evaluations": [{}], "options": "all"},
        [],
    ],
)
def test_a_batch_that_is_none_is_a_bad_request(alliance: Alliance, body: Any) -> None:
    """Too many entries, another shape, or an unknown semantic: 400."""
    assert as_person(alliance, "auditor").post(EVALUATIONS, body).status_code == 400


def test_an_entry_that_is_no_object_is_denied_in_its_place(alliance: Alliance) -> None:
    """A number among the questions is a fault of its own."""
    answer = as_person(alliance, "auditor").post(EVALUATIONS, {"evaluations": [7]})

    [told] = answer.json()["evaluations"]
    assert (told["decision"], told["context"]["error"]["status"]) == (False, 400)


def test_a_page_token_serves_its_own_search_only(alliance: Alliance) -> None:
    """A token with another question, another limit, or of nobody's making is refused."""
    provider = alliance.join()
    alliance.declare(provider)
    for _ in range(3):
        alliance.join()
    auditor = as_person(alliance, "auditor")
    asked = {**question("-", "apply"), "subject": {"type": "participant"}, "page": {"limit": 1}}
    token = auditor.post(SEARCH + "subject", asked).json()["page"]["next_token"]

    for changed in (
        {**asked, "page": {"limit": 2, "token": token}},
        {**asked, "action": {"name": "transfer"}, "page": {"limit": 1, "token": token}},
        {**asked, "page": {"limit": 1, "token": "nonsense"}},
        {**asked, "page": {"limit": 1, "token": "bm9uZQ=="}},
    ):
        answer = auditor.post(SEARCH + "subject", changed)
        assert (answer.status_code, answer.json()["code"]) == (400, "page-unknown")


def test_resources_come_in_pages(alliance: Alliance) -> None:
    """A full page leads on to the next; together they name every dataset once."""
    provider, node = alliance.join(), alliance.join(level=Level.CITY)
    names = ["city-air", "city-noise", "city-water"]
    for name in names:
        alliance.declare(provider, name)
    asker = as_node(alliance, node)
    asked: dict[str, Any] = {**question(node.id, "apply"), "resource": {"type": "dataset"}}

    found, token = [], None
    while token != "":
        page = {"limit": 1} if token is None else {"limit": 1, "token": token}
        told = asker.post(SEARCH + "resource", {**asked, "page": page}).json()
        found += [one["id"] for one in told["results"]]
        token = told["page"]["next_token"]

    assert found == names


def test_a_page_of_nothing_is_empty(alliance: Alliance) -> None:
    """A limit of zero gives no result and loses none: the token leads to all of them."""
    alliance.declare(alliance.join())
    alliance.join()
    auditor = as_person(alliance, "auditor")
    asked = {**question("-", "apply"), "subject": {"type": "participant"}, "page": {"limit": 0}}

    told = auditor.post(SEARCH + "subject", asked).json()

    assert told["results"] == []
    assert told["page"]["next_token"]
