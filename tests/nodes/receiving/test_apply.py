"""Applying and subscribing: a node signs what it asked for, and stands in feeds that both sides agreed."""

from datetime import timedelta

import pytest

from contracts.messages import Agreement, Application, ApplicationState
from nodes.receiving.apply import (
    AgreementUnfit,
    NoAgreement,
    apply_for,
    own_subscriptions,
    subscribe,
    subscription_of,
)
from nodes.sharing_tables import AgreementRow, OwnApplicationRow
from nodes.signed import peek_statement, read_statement
from tests.nodes.sharing import DATASET, World


def test_an_application_is_kept_before_it_is_sent(world: World) -> None:
    """The offer may come while the answer is under way; it then finds the application."""
    world.declare()

    view = apply_for(world.consumer, world.request())

    assert view.state is ApplicationState.AGREED
    with world.consumer.database.read() as session:
        row = session.get(OwnApplicationRow, view.application)
    assert row is not None
    assert read_statement(row.envelope, Application, world.consumer.node_key.public).text == row.envelope


def test_subscribing_keeps_both_signatures(world: World) -> None:
    """The agreement in the database is the one that proves the consumer's right."""
    world.declare()
    world.agree()

    with world.consumer.database.read() as session:
        row = session.get(AgreementRow, own_subscriptions(world.consumer)[0].agreement)
    assert row is not None
    keys = (world.consumer.node_key.public, world.provider.node_key.public)
    assert read_statement(row.envelope, Agreement, *keys).digest == row.digest


def test_subscribing_again_finds_the_subscription(world: World) -> None:
    """One agreement, one subscription."""
    world.declare()
    first = world.agree()

    assert subscribe(world.consumer, DATASET).subscription == first
    assert len(own_subscriptions(world.consumer)) == 1


def test_a_new_agreement_goes_on_at_the_cursor(world: World) -> None:
    """What was received under the old terms is not received again."""
    world.declare()
    world.agree()
    with world.consumer.database.transaction() as session:
        row = session.merge(subscription_of(world.consumer, DATASET))
        row.cursor = 7
    world.clock.advance(1)
    apply_for(world.consumer, world.request(until=world.clock.now() + timedelta(days=90)))

    renewed = subscribe(world.consumer, DATASET)

    assert subscription_of(world.consumer, DATASET).subscription == renewed.subscription
    assert subscription_of(world.consumer, DATASET).cursor == 7


def test_there_is_no_subscription_without_an_agreement(world: World) -> None:
    """An application that waits is no agreement."""
    world.declare()
    world.exchange.offer = None
    apply_for(world.consumer, world.request())

    with pytest.raises(NoAgreement):
        subscribe(world.consumer, DATASET)


def test_an_expired_agreement_is_none(world: World) -> None:
    """Terms hold until their end."""
    world.declare()
    apply_for(world.consumer, world.request(until=world.clock.now() + timedelta(hours=1)))
    world.clock.advance(3601)

    with pytest.raises(NoAgreement):
        subscribe(world.consumer, DATASET)


def test_an_agreement_that_lacks_the_providers_signature_is_refused(world: World) -> None:
    """The exchange cannot agree in the provider's name."""
    world.declare()
    name = apply_for(world.consumer, world.request()).application
    view = world.exchange.applications[name]
    assert view.agreement_envelope is not None
    with world.consumer.database.read() as session:
        own = session.get(
            AgreementRow, peek_statement(view.agreement_envelope, Agreement).statement.agreement
        )
    assert own is not None
    world.exchange.applications[name] = view.model_copy(update={"agreement_envelope": own.envelope})

    with pytest.raises(AgreementUnfit):
        subscribe(world.consumer, DATASET)


def test_a_subscription_to_something_else_is_refused(world: World) -> None:
    """The exchange answers with the subscription of this agreement, or with none."""
    world.declare()
    world.agree()
    name, view = next(iter(world.exchange.subscriptions.items()))
    world.exchange.subscriptions[name] = view.model_copy(update={"dataset": "another-set"})

    with pytest.raises(AgreementUnfit):
        subscribe(world.consumer, DATASET)
