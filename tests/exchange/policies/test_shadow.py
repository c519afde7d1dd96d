"""A candidate beside the policy in force: asked, counted, and never listened to."""

import pytest

from audit.log.entry import EntryKind
from exchange.policies import flow, store
from exchange.policies.model import (
    PolicyUnknown,
    SecondPersonNeeded,
)
from policies.bundle import shipped_bundle
from policies.trying.vetting import BundleUnfit
from tests.exchange.policies.office import Office, closed
from tests.exchange.trading import Alliance, Trade

OTHER = "sha256:" + "7" * 64


def test_a_shadow_answers_and_decides_nothing(trade: Trade, office: Office) -> None:
    """A candidate is asked after each answer, counted by difference, and the answer stays that in force."""
    office.propose(closed())
    office.shadow(closed().digest)
    trade.alliance.request(trade.consumer, trade.subscription)
    shadow = office.standing()["shadow"]
    office.shadow(None)

    assert shadow == {"policy": closed().digest, "asked": 1, "same": 0, "differences": {"refused": 1}}
    assert office.standing()["shadow"] is None
    assert len(office.alliance.entries(EntryKind.GRANT)) == 1


def test_nobody_shadows_what_they_alone_proposed(office: Office) -> None:
    """Rules of one person run in the exchange's process only where another lets them, rejected or not."""
    office.propose(closed())
    with pytest.raises(SecondPersonNeeded):
        office.shadow(closed().digest, "administrator")
    office.reject(closed(), "administrator")
    with pytest.raises(SecondPersonNeeded):
        office.shadow(closed().digest, "administrator")
    assert office.standing()["shadow"] is None

    office.shadow(shipped_bundle().digest, "administrator")
    assert office.standing()["shadow"]["policy"] == shipped_bundle().digest


def test_a_shadow_is_tried_apart_first(trade: Trade, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not come to an end on the questions of the past is not asked in this process."""
    office.propose(closed())

    def endless(*_: object, **__: object) -> None:
        raise BundleUnfit("the policy took longer than 45 seconds")

    monkeypatch.setattr(flow, "replay_apart", endless)
    with pytest.raises(BundleUnfit):
        office.shadow(closed().digest)
    assert office.standing()["shadow"] is None


def test_a_shadow_that_comes_into_force_is_none_any_more(office: Office) -> None:
    """A candidate that was approved decides, and is not asked twice, now or after a restart."""
    office.propose(closed())
    office.shadow(closed().digest)
    office.approve(closed())

    with office.alliance.parts.database.read() as session:
        assert store.shadow_digest(session) is None
    assert office.standing()["shadow"] is None


def test_replay_of_an_unknown_bundle(alliance: Alliance) -> None:
    """Nothing is replayed under a bundle that nobody handed in."""
    with pytest.raises(PolicyUnknown):
        alliance.run(flow.replay_of(alliance.parts, OTHER, 10))
