"""What a provider signs in an emergency: at once for government where the record opted in."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.errors import Unavailable
from contracts.messages import (
    AgreementOffer,
    Application,
    Condition,
    Level,
    Text,
)
from nodes.broker import Broker
from nodes.offers import answer_offer, approve, held_applications, own_agreements, refuse
from nodes.receiving.apply import apply_for, subscribe
from nodes.signed import peek_statement
from tests.nodes.declaring import (
    PURPOSE,
    THREE_DAYS,
    declare,
    into_finance,
    offered,
    opted_in,
    over,
)
from tests.nodes.sharing import DATASET, World


def test_an_emergency_is_signed_for_at_once(world: World) -> None:
    """The record opted in, the event is known, and the terms end with the emergency: no person is needed."""
    opted_in(world)
    declare(world)

    assert answer_offer(world.provider, offered(world)).outcome == "signed"
    assert [one["role"] for one in own_agreements(world.provider)] == ["provider"]


@pytest.mark.parametrize(
    "changes",
    [{"emergency": False}, {"purposes": [PURPOSE, "flood-forecast"], "emergency": False}],
)
def test_a_record_that_did_not_opt_in_waits_for_a_person(world: World, changes: dict[str, Any]) -> None:
    """Whoever did not opt in decides in an emergency as in ordinary times."""
    opted_in(world, **changes)
    declare(world)

    assert answer_offer(world.provider, offered(world)).outcome == "held"


def test_whoever_is_not_government_waits_for_a_person(world: World) -> None:
    """An emergency is government's to answer: a bank that applies in its name waits for a person."""
    opted_in(world)
    declare(world)
    into_finance(world)

    assert answer_offer(world.provider, offered(world)).outcome == "held"


def test_the_conditions_stand_for_whoever_is_not_government(world: World) -> None:
    """What an emergency excuses for government, the provider refuses a bank, whoever granted it."""
    opted_in(world, conditions=[Condition(levels=[Level.NATIONAL])])
    world.publish()
    declare(world)
    view = apply_for(world.consumer, world.request(purpose=PURPOSE))
    approve(world.provider, view.application, "li-wei")
    logged = world.granted(subscribe(world.consumer, DATASET).subscription)
    into_finance(world)

    answer = world.present(logged)

    assert (answer.status_code, answer.json()["code"]) == (403, "conditions-not-met")


def test_in_ordinary_times_a_person_is_asked(world: World) -> None:
    """Agreements can be made ahead, and then a person signs them."""
    opted_in(world)

    assert answer_offer(world.provider, offered(world)).outcome == "held"


def test_another_purpose_is_no_emergency(world: World) -> None:
    """An emergency opens nothing but what is done in its name."""
    opted_in(world, purposes=[])
    declare(world)
    world.exchange.offer = None
    view = apply_for(world.consumer, world.request())
    application = peek_statement(view.application_envelope, Application)
    terms = world.exchange.terms(application, expires_at=world.clock.now() + timedelta(days=1))
    offer = AgreementOffer(
        application_envelope=application.text, agreement_payload=terms.canonical().decode()
    )

    assert answer_offer(world.provider, offer).outcome == "held"


def test_terms_that_outlast_the_emergency_wait_for_a_person(world: World) -> None:
    """What nobody was asked about ends with the emergency."""
    opted_in(world)
    declare(world)

    assert answer_offer(world.provider, offered(world, THREE_DAYS + timedelta(seconds=1))).outcome == "held"
    assert answer_offer(world.provider, offered(world, THREE_DAYS)).outcome == "signed"


def test_an_emergency_that_ended_signs_nothing(world: World) -> None:
    """An early end is heard of before anything is signed."""
    opted_in(world)
    over(world, declare(world))

    assert answer_offer(world.provider, offered(world)).outcome == "held"


def test_what_waits_for_a_person_stays_with_that_person(world: World) -> None:
    """A refusal is not overtaken by an emergency that is declared later."""
    opted_in(world)
    offer = offered(world)
    held = answer_offer(world.provider, offer)
    (row,) = held_applications(world.provider)
    declare(world)
    still_held = answer_offer(world.provider, offer)
    refuse(world.provider, row.application, [Text(zh="不同意", en="no")], "li-wei")

    assert (held.outcome, still_held.outcome) == ("held", "held")
    assert answer_offer(world.provider, offer).outcome == "refused"


def test_in_silence_nothing_is_signed_and_nobody_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the newest events are not to be had the offer stays unanswered; it comes again later."""
    opted_in(world)
    declare(world)
    offer = offered(world)

    def silent(_broker: Broker, _since: int) -> None:
        raise Unavailable("the exchange is silent")

    with monkeypatch.context() as patch:
        patch.setattr(Broker, "events", silent)
        with pytest.raises(Unavailable):
            answer_offer(world.provider, offer)

    assert own_agreements(world.provider) == []
    assert held_applications(world.provider) == []
    assert answer_offer(world.provider, offer).outcome == "signed"
