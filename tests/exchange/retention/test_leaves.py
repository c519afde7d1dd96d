"""No leaf of a whole story says who acted, which dataset moved, or what for; detectors look for it."""

import re
from dataclasses import dataclass

import pytest

from contracts.errors import Refused
from contracts.messages import ReceiptRole, Role
from exchange.agreements import flow as agreements
from exchange.identity import Person
from exchange.members import flow as members
from exchange.transfers.expiry import expire_grants
from tests.exchange.trading import Alliance, Trade

ACTOR = Person("zhang-wei", frozenset({Role.ADMINISTRATOR}), bytes(range(32)))
REASON = "张伟 13800138000 zhang.wei@example.cn 510104199001011234 川A12345 10.1.2.3 30.6586,104.0648"

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
DETECTORS = {
    "Chinese characters": r"[\u3400-\u9fff]",
    "mobile number": r"(?<!\d)1[3-9]\d{9}(?!\d)",
    "identity number": r"(?<!\d)\d{17}[\dXx](?!\d)",
    "mail address": r"[\w.+-]+@[\w-]+\.[a-z]{2}",
    "address of a machine": r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])",
    "place": r"\d{1,3}\.\d{3,},\s*\d{1,3}\.\d{3,}",
    "name of a person": r"zhang|张",
    "name of a dataset": r"city-air|空气|air quality",
    "purpose": r"joint-control|curiosity|episodes|prevention",
    "place of the data": r"Chengdu|成都",
    "file name": r"air\.csv",
}


@dataclass
class Leaves:
    """Every leaf of a story, as text."""

    texts: list[str]
    kinds: set[str]


@pytest.fixture
def leaves(alliance: Alliance, trade: Trade) -> Leaves:
    """Play a story in which everything that a leaf could give away is said somewhere."""
    logged = alliance.request(trade.consumer, trade.subscription)
    given = alliance.receipt(trade.provider, ReceiptRole.PROVIDER, logged)
    alliance.deliver(trade.provider, logged, given)
    alliance.clock.advance(3600)
    alliance.run(expire_grants(alliance.parts))
    taken = alliance.receipt(trade.consumer, ReceiptRole.CONSUMER, logged)
    alliance.deliver(trade.consumer, logged, given, taken)
    with pytest.raises(Refused):
        alliance.apply(trade.consumer, purpose="curiosity", scenario=REASON)
    agreement = trade.agreement
    alliance.run(agreements.end_agreement(alliance.parts, trade.consumer.caller, agreement, REASON))
    alliance.run(members.suspend(alliance.parts, ACTOR, trade.consumer.id, REASON))
    texts = [leaf.decode() for leaf in alliance.parts.log.entries(0, alliance.parts.log.size())]
    kinds = {entry.kind.value for entry in alliance.entries()}
    return Leaves(texts, kinds)


def test_no_detector_finds_anything(leaves: Leaves) -> None:
    """Leaves hold ids of organisations, digests, numbers and codes; nothing of people, datasets, purposes."""
    found = [
        (name, text)
        for name, pattern in DETECTORS.items()
        for text in leaves.texts
        # Sixty-four random hex digits hold what looks like a telephone number now and then.
        if re.search(pattern, DIGEST.sub("digest", text), re.IGNORECASE)
    ]

    assert found == []
    assert {"grant", "done", "expire", "deny", "agreement.end", "member.suspend", "admin.act"} <= leaves.kinds


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_would_find_what_it_looks_for(name: str) -> None:
    """A detector that finds nothing anywhere proves nothing."""
    everything = f"{REASON} city-air joint-control Chengdu air.csv"

    assert re.search(DETECTORS[name], everything, re.IGNORECASE)
