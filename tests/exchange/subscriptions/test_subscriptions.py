"""Subscriptions: opened once under an agreement in force, shown to its two sides."""

import pytest

from contracts.messages import SubscriptionRequest
from exchange.agreements import flow as agreements
from exchange.agreements.model import AgreementUnknown
from exchange.subscriptions import flow, model
from tests.exchange.signers import Participant
from tests.exchange.trading import Trade


def _subscribe(trade: Trade, node: Participant) -> str:
    request = SubscriptionRequest(agreement=trade.agreement)
    view = trade.alliance.run(flow.subscribe(trade.alliance.parts, node.caller, request))
    return view.subscription


def test_subscription_is_opened_once(trade: Trade) -> None:
    """Asking again under the same agreement finds the same subscription."""
    assert _subscribe(trade, trade.consumer) == trade.subscription


def test_only_the_consumer_subscribes(trade: Trade) -> None:
    """Neither the provider nor a stranger subscribes under an agreement."""
    for node in (trade.provider, trade.alliance.join()):
        with pytest.raises(AgreementUnknown):
            _subscribe(trade, node)


def test_ended_or_expired_agreement_carries_no_subscription(trade: Trade) -> None:
    """An agreement that ended, or whose time is over, opens nothing."""
    alliance = trade.alliance
    second = alliance.apply(trade.consumer).agreement
    assert second is not None
    alliance.run(agreements.end_agreement(alliance.parts, trade.provider.caller, second, "enough"))

    with pytest.raises(model.AgreementNotInForce):
        alliance.subscribe(trade.consumer, second)
    alliance.clock.advance(31 * 86400)
    with pytest.raises(model.AgreementNotInForce):
        _subscribe(trade, trade.consumer)


def test_subscription_is_shown_to_its_sides(trade: Trade) -> None:
    """Provider and consumer see a subscription and its releases; a stranger sees neither."""
    parts, stranger = trade.alliance.parts, trade.alliance.join()

    for node in (trade.provider, trade.consumer):
        (view,) = flow.subscriptions(parts, node.caller)
        listed = flow.releases(parts, node.caller, view.subscription, 1).releases
        assert [release.number for release in listed] == [2]

    assert flow.subscriptions(parts, stranger.caller) == []
    with pytest.raises(model.SubscriptionUnknown):
        flow.releases(parts, stranger.caller, trade.subscription, 0)
