"""Neither a recipient's objections nor a provider's corrections keep the exchange busy without end."""

from collections import UserDict
from collections.abc import ItemsView

import pytest

from contracts.messages import ObjectionState, StepKind
from exchange.corrections import model
from exchange.corrections.model import TooManyObjections
from tests.exchange.corrections.disputing import deliver, hand_in, objection, take
from tests.exchange.trading import Trade


def test_raising_and_withdrawing_is_limited_too(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each objection is logged and told to its provider, so a loop of them would flood both."""
    monkeypatch.setattr(model, "MAX_OBJECTIONS_A_DAY", 3)
    grant = deliver(trade)
    for _ in range(3):
        made = hand_in(trade.alliance, trade.consumer, objection(trade, grant))
        take(trade.alliance, made, StepKind.WITHDRAW, trade.consumer)

    with pytest.raises(TooManyObjections):
        hand_in(trade.alliance, trade.consumer, objection(trade, grant))
    trade.alliance.clock.advance(86_400)

    assert hand_in(trade.alliance, trade.consumer, objection(trade, grant)).state is ObjectionState.OPEN


class _Counted(UserDict[int, int]):
    """Counts how often it is walked through."""

    walks = 0

    def items(self) -> ItemsView[int, int]:
        """Walk through it."""
        self.walks += 1
        return super().items()


def test_a_long_chain_of_corrections_is_walked_once() -> None:
    """A provider that corrects its corrections a thousand times does not keep the exchange busy for it."""
    replaced = _Counted({number: number + 1 for number in range(1, 1000)})

    assert model.ancestors(1000, replaced) == frozenset(range(1, 1000))
    assert replaced.walks == 1
    assert model.successors(990, replaced) == frozenset(range(991, 1001))
    assert model.successors(1000, replaced) == frozenset()
