"""Flipped bytes in what an exchange writes for an auditor: report, page, silence; none is accepted."""

from datetime import timedelta

import pytest

from audit.proofs.report import SignedReport
from audit.proofs.report_verdict import verify_report
from audit.proofs.silence import verify_silence
from exchange.completeness.cutting import cut_heads
from exchange.completeness.silence import prove_silence
from exchange.reports.page import read_page, render
from tests.exchange.reports.test_report import Story, story, world
from tests.exchange.trading import alliance, exchange_home, trade
from tests.verifiers.first import ours
from tests.verifiers.specimens import Specimen, accepted
from tests.verifiers.tampering import seeded

__all__ = ["alliance", "exchange_home", "story", "trade", "world"]

FLIPS = {"report": 500, "page": 500, ".hwsilence": 500}


def _specimens(story: Story) -> list[Specimen]:
    """Give the report of a day, its page, and a proof that one subscription rested."""
    alliance, trust, signed = story.world.alliance, story.world.trust(), story.make()
    now = alliance.clock.now()

    def judge(read: SignedReport) -> None:
        verify_report(read, trust, now=now)

    return [
        Specimen("report", signed.encode(), lambda raw: judge(SignedReport.read(raw))),
        Specimen("page", render(signed), lambda raw: judge(read_page(raw))),
        _silence(story),
    ]


def _silence(story: Story) -> Specimen:
    world, clock = story.world, story.world.alliance.clock
    cuts = []
    for _ in range(2):
        clock.advance(60)
        cuts.append(clock.now())
        world.alliance.run(cut_heads(world.alliance.parts))
        clock.advance(60)
    world.cosign()
    since, until = cuts[0] + timedelta(seconds=1), cuts[1] - timedelta(seconds=1)
    raw = prove_silence(world.alliance.parts.database, world.trade.subscription, since=since, until=until)
    trust = world.trust()
    return Specimen(".hwsilence", raw, lambda changed: verify_silence(changed, trust, now=clock.now()))


@pytest.mark.parametrize("name", list(FLIPS))
def test_no_flipped_byte_is_accepted(story: Story, name: str) -> None:
    """No byte can be changed: what a page shows is what its report proves, and the exchange signed that."""
    specimen = {one.name: one for one in _specimens(story)}[name]

    assert ours(lambda: specimen.ours(specimen.raw)) == "good"
    assert accepted(specimen, FLIPS[name], seeded(name)) == []
