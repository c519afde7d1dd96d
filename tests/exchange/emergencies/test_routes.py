"""Emergencies over HTTP: roles, shapes, and the same rooms on PostgreSQL."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from audit.keys.signing import load_key
from contracts.clock import FrozenClock
from contracts.messages import Condition, EmergencyList, TransferRequest
from exchange.home import init
from tests.exchange.emergencies.declaring import declare, end, keep_time, later, prepared, review
from tests.exchange.trading import START, Alliance, grant_of
from tests.exchange.transfers.test_routes import BASE, by, send

DECLARATION = {
    "title": {"zh": "沱江水污染", "en": "Pollution of the Tuo"},
    "why": "ammonia above the limit at three intakes",
    "scope": {"territories": ["510000"]},
    "hours": 24,
}


def told(
    alliance: Alliance, name: str, method: str, path: str, body: dict[str, Any] | None = None
) -> tuple[int, Any]:
    """Let a person of the exchange ask; give status and answer."""
    key = load_key(alliance.parts.settings.home / "people" / f"{name}.key")
    raw = b"" if body is None else orjson.dumps(body)
    answer = send(alliance, method, path, raw, key=key, keyid=f"person:{name}")
    return answer.status_code, answer.json()


def test_an_emergency_over_http(alliance: Alliance) -> None:
    """Declared by the administrator, read by nodes, ended early, judged by the auditor."""
    _, consumer, subscription = prepared(alliance)
    status, declared = told(alliance, "administrator", "POST", "/operator/emergencies", DECLARATION)
    path = f"/operator/emergencies/{declared['emergency']}"
    in_force = EmergencyList.parse(by(alliance, consumer, "GET", "/emergencies"))
    grant = grant_of(alliance.request(consumer, subscription.subscription))
    ended = told(alliance, "administrator", "POST", f"{path}/end", {"why": "the intakes are clean"})[1]
    words = {"finding": "justified", "words": "one grant, for the intakes"}
    reviewed = told(alliance, "auditor", "POST", f"{path}/review", words)[1]
    shown = told(alliance, "operator", "GET", path)[1]
    listed = told(alliance, "operator", "GET", "/operator/emergencies")[1]["emergencies"]

    assert (status, declared["state"], declared["declared_by"]) == (201, "in-force", "administrator")
    assert len(in_force.emergencies) == 1
    assert (ended["state"], ended["ended_why"]) == ("ended", "ended-by-administrator")
    assert reviewed["review"]["by"] == "auditor"
    assert [one["grant"] for one in shown["grants"]] == [grant.grant]
    assert [one["state"] for one in listed] == ["reviewed"]


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("auditor", "", DECLARATION),
        ("operator", "", DECLARATION),
        ("auditor", "/{}/end", {"why": "over"}),
        ("operator", "/{}/end", {"why": "over"}),
        ("administrator", "/{}/review", {"finding": "justified", "words": "good"}),
        ("operator", "/{}/review", {"finding": "justified", "words": "good"}),
    ],
)
def test_each_act_has_its_role(alliance: Alliance, name: str, path: str, body: dict[str, Any]) -> None:
    """Administrators declare and end, auditors judge; nobody else does either."""
    made = declare(alliance).statement.emergency
    status, answer = told(alliance, name, "POST", "/operator/emergencies" + path.format(made), body)

    assert (status, answer["code"]) == (403, "wrong-role")


@pytest.mark.parametrize(
    "change",
    [
        {"hours": 0},
        {"hours": 721},
        {"scope": {"territories": []}},
        {"scope": {"territories": ["sichuan"]}},
        {"scope": {"territories": ["51"], "datasets": ["City Air"]}},
        {"why": ""},
        {"until": "2099-01-01T00:00:00Z"},
    ],
)
def test_an_odd_declaration_is_refused(alliance: Alliance, change: dict[str, Any]) -> None:
    """Without a place, without a reason, for more than thirty days: none of it is declared."""
    status, answer = told(
        alliance, "administrator", "POST", "/operator/emergencies", {**DECLARATION, **change}
    )

    assert (status, answer["code"]) == (400, "bad-message")
    assert told(alliance, "auditor", "GET", "/operator/emergencies")[1] == {"emergencies": []}


def test_the_list_is_for_nodes_in_good_standing(alliance: Alliance) -> None:
    """An unsigned reader is refused."""
    assert send(alliance, "GET", "/emergencies").status_code == 401


def test_the_address_is_a_fact(alliance: Alliance) -> None:
    """A condition on networks is held against the connection that the request came over."""
    answers: list[httpx.Response] = []
    for network in ("127.0.0.0/8", "10.0.0.0/8"):
        provider, consumer = alliance.join(), alliance.join()
        name = f"city-air-{len(answers)}"
        alliance.declare(provider, name, conditions=[Condition(networks=[network])])
        alliance.publish(provider, 1, name)
        subscription = alliance.agreed(consumer, name).subscription
        request = TransferRequest(subscription=subscription, release=1).canonical()
        answers.append(send(alliance, "POST", "/transfers", request, key=consumer.key, keyid=consumer.id))

    assert [answer.status_code for answer in answers] == [200, 403]
    assert "network-not-allowed" in answers[1].text


@pytest.mark.real
def test_emergencies_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    """Tables and migration work on PostgreSQL as they do on SQLite."""
    home = tmp_path / "pg"
    init(
        home,
        origin="alliance.example/pg",
        public_url=BASE,
        database_url=postgresql_url,
        clock=FrozenClock(START),
    )
    alliance = Alliance(home, FrozenClock(START))
    try:
        _, consumer, subscription = prepared(alliance)
        first = declare(alliance).statement.emergency
        alliance.request(consumer, subscription.subscription)
        end(alliance, first)
        second = declare(alliance).statement.emergency
        later(alliance, timedelta(days=15))
        noted = keep_time(alliance)
        states = [
            one["state"]
            for one in told(alliance, "auditor", "GET", "/operator/emergencies")[1]["emergencies"]
        ]
        reviewed = [review(alliance, name).ended_why for name in (first, second)]
    finally:
        alliance.close()

    assert noted == 3  # one end, two reviews overdue
    assert states == ["overdue", "overdue"]
    assert reviewed == ["ended-by-administrator", "time-over"]
