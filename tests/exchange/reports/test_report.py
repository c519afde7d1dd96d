"""A report answers who received a dataset on a day, and proves it to whoever has nothing but a trust root."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from audit.formats.dsse import sign
from audit.formats.quorum import QuorumMissing
from audit.keys.signing import SigningKey
from audit.keys.trust import TrustedKey, UnknownParticipant
from audit.keys.trust_file import TrustFile
from audit.log.entry import EntryKind
from audit.proofs.report import AuditReport, SignedReport
from audit.proofs.report_reader import read_facts
from audit.proofs.report_verdict import OLD_SIGNATURE, OPEN_END, ReportNotProven, ReportVerdict, verify_report
from contracts.errors import HeadwatersError, Refused, Usage
from contracts.messages import LoggedGrant, LogPlace, ReceiptRole, Text
from exchange.catalog.model import DatasetUnknown
from exchange.completeness.cutting import cut_heads
from exchange.log.flow import NotYetWitnessed
from exchange.reports.gathering import make_report
from exchange.reports.search import Search, search
from exchange.transfers.expiry import expire_grants
from tests.exchange.reports.witnessed import Witnessed
from tests.exchange.trading import DATASET, Alliance, Trade, grant_of

DAY = date(2026, 3, 2)


@dataclass
class Story:
    """Two transfers, a refusal, a grant that ran out and one of another day, all about one dataset."""

    world: Witnessed
    first: LoggedGrant
    expired: LoggedGrant
    next_day: LoggedGrant

    @property
    def home(self) -> Path:
        return self.world.alliance.parts.settings.home

    def make(self, day: date = DAY, dataset: str = DATASET) -> SignedReport:
        """Make a report."""
        return make_report(self.home, dataset, day, now=self.world.alliance.clock.now())

    def judge(self, signed: SignedReport, trust: TrustFile | None = None) -> ReportVerdict:
        """Judge a report as a stranger would: from its bytes."""
        again = SignedReport.read(signed.encode())
        return verify_report(again, trust or self.world.trust(), now=self.world.alliance.clock.now())

    def forged(self, signed: SignedReport, **changes: object) -> SignedReport:
        """Change a report and sign it as a dishonest exchange can."""
        report = signed.report.model_copy(update=changes)
        return SignedReport.sign(report, self.world.alliance.parts.statement_key)


@pytest.fixture
def world(trade: Trade) -> Witnessed:
    """Give the alliance of a trade."""
    return Witnessed(trade)


@pytest.fixture
def story(alliance: Alliance, trade: Trade, world: Witnessed) -> Story:
    """Play the story over two days; the log is cosigned in the end."""
    first = world.transfer()
    alliance.clock.advance(600)
    world.transfer(release=2)
    with pytest.raises(Refused):
        alliance.apply(trade.consumer, purpose="curiosity")
    other = alliance.join()
    expired = alliance.request(other, alliance.agreed(other).subscription)
    alliance.deliver(trade.provider, expired, alliance.receipt(trade.provider, ReceiptRole.PROVIDER, expired))
    alliance.clock.advance(3600)
    alliance.run(expire_grants(alliance.parts))
    alliance.clock.advance(86_400)
    next_day = world.transfer(release=2)
    world.cosign()
    return Story(world, first, expired, next_day)


def test_a_report_says_who_received_what(story: Story) -> None:
    """Each transfer of the day is named with both sides, and so are an expired grant and the refusal."""
    facts = story.judge(story.make()).facts
    received = [(one.grant.consumer, one.grant.release) for one in facts.received]

    assert received == [(story.world.trade.consumer.id, 1), (story.world.trade.consumer.id, 2)]
    assert [one.state for one in facts.others] == ["expired"]
    assert facts.others[0].grant.grant == grant_of(story.expired).grant
    assert [one.denied.said("cons") for one in facts.denials] == [story.world.trade.consumer.id]
    assert len(facts.agreements) == 2
    assert facts.title == Text(zh="城市空气质量", en="City air quality")


def test_the_next_day_has_its_own_report(story: Story) -> None:
    """A transfer belongs to the day, in Beijing, on which its closing entry was logged."""
    facts = story.judge(story.make(DAY + timedelta(days=1))).facts

    assert [one.grant.grant for one in facts.received] == [grant_of(story.next_day).grant]
    assert (facts.others, facts.denials) == ([], ())


def test_a_day_without_transfers_is_proven_by_what_lies_around_it(story: Story) -> None:
    """Nobody received anything: the subscriptions' entries before and after the day follow each other."""
    story.world.alliance.clock.advance(2 * 86_400)
    story.world.transfer()
    story.world.cosign()
    quiet = story.judge(story.make(date(2026, 3, 4)))
    chain = next(c for c in quiet.facts.chains if c.subscription == story.world.trade.subscription)

    assert quiet.facts.received == []
    assert (chain.closed, chain.of_day, len(chain.entries)) == (True, 0, 2)


def test_a_chain_is_whole_between_an_entry_before_and_one_after(story: Story) -> None:
    """Where the subscription went on after the day, nothing of the day can be missing."""
    chains = {one.subscription: one for one in story.judge(story.make()).facts.chains}
    own = chains.pop(story.world.trade.subscription)
    (other,) = chains.values()

    assert (own.closed, own.of_day, len(own.entries)) == (True, 4, 5)
    assert (other.closed, other.of_day, len(other.entries)) == (False, 2, 2)


def test_heads_of_after_the_day_close_every_chain(story: Story) -> None:
    """Once the subscription heads were cut and cosigned, nothing of the day can be missing anywhere."""
    alliance = story.world.alliance
    alliance.run(cut_heads(alliance.parts))
    story.world.cosign()
    verdict = story.judge(story.make())

    assert all(chain.closed for chain in verdict.facts.chains)
    assert OPEN_END not in verdict.not_proven


def test_what_is_not_proven_is_said(story: Story) -> None:
    """An end that is not shown yet is among what is not proven."""
    verdict = story.judge(story.make())

    assert OPEN_END in verdict.not_proven
    assert verdict.logs[0].size == story.world.alliance.parts.log.size()
    assert len(verdict.logs[0].witnesses) == 3


def test_a_late_transfer_is_in_the_report_of_the_day_it_was_closed(story: Story) -> None:
    """An expiry and the closing that came after it both stand in the subscription's chain."""
    world = story.world
    alliance = world.alliance
    given = alliance.receipt(world.trade.provider, ReceiptRole.PROVIDER, story.expired)
    consumer = next(node for node in alliance.nodes.values() if node.id == grant_of(story.expired).consumer)
    taken = alliance.receipt(consumer, ReceiptRole.CONSUMER, story.expired)
    alliance.deliver(consumer, story.expired, given, taken)
    world.cosign()
    of_expiry = story.judge(story.make()).facts
    of_closing = story.judge(story.make(DAY + timedelta(days=1))).facts

    assert [one.state for one in of_expiry.others] == ["done"]
    assert all(chain.closed for chain in of_expiry.chains)
    assert grant_of(story.expired).grant in [one.grant.grant for one in of_closing.received]


def test_a_day_may_lie_in_two_shards(world: Witnessed, alliance: Alliance) -> None:
    """A report spans the end of a shard: each entry stands under a checkpoint of its own shard."""
    opened = alliance.request(world.trade.consumer, world.trade.subscription)
    world.next_shard()
    given = alliance.receipt(world.trade.provider, ReceiptRole.PROVIDER, opened)
    taken = alliance.receipt(world.trade.consumer, ReceiptRole.CONSUMER, opened)
    alliance.deliver(world.trade.consumer, opened, given, taken)
    world.transfer(release=2)
    world.cosign()
    now = alliance.clock.now()
    signed = make_report(alliance.parts.settings.home, DATASET, DAY, now=now)
    verdict = verify_report(signed, world.trust(), now=now)
    found = search(alliance.parts.settings.home, Search(kind=EntryKind.GRANT))

    assert [one.grant.release for one in verdict.facts.received] == [1, 2]
    assert [seen.origin[-6:] for seen in verdict.logs] == ["2026h1", "26h1-2"]
    assert [row["shard"] for row in found] == [2, 1]


# --- what a verifier refuses ------------------------------------------------------------------------


def test_a_report_that_leaves_a_transfer_out_is_refused(story: Story) -> None:
    """Even the exchange cannot sign a report in which one of a subscription's entries is missing."""
    signed = story.make()
    gone = grant_of(story.first).grant
    entries = [one for one in signed.report.entries if one.leaf.get("gid") != gone]
    texts = [one for one in signed.report.statements if one.payload.get("grant") != gone]

    with pytest.raises(ReportNotProven) as refusal:
        story.judge(story.forged(signed, entries=entries, statements=texts))
    assert refusal.value.facts["step"] == 1


def test_no_entry_can_be_left_out_or_shown_twice(story: Story) -> None:
    """Every entry is there once and is needed; only the one after the day could have been left out."""
    signed = story.make()
    entries = signed.report.entries
    accepted = []
    for place, entry in enumerate(entries):
        with pytest.raises(ReportNotProven):
            story.judge(story.forged(signed, entries=[*entries[: place + 1], *entries[place:]]))
        try:
            story.judge(story.forged(signed, entries=[*entries[:place], *entries[place + 1 :]]))
        except ReportNotProven:
            continue
        accepted.append(entry.leaf["gid"])

    assert accepted == [grant_of(story.next_day).grant]


def test_another_name_for_a_participant_is_refused(story: Story) -> None:
    """A participant bears the name that the trust root gives it, whatever the exchange says."""
    signed = story.make()
    names = list(signed.report.names)
    names[0] = names[0].model_copy(update={"name": Text(zh="他省", en="Another")})

    with pytest.raises(ReportNotProven) as refusal:
        story.judge(story.forged(signed, names=names))
    assert refusal.value.facts["step"] == 5


def test_what_nothing_needs_is_refused(story: Story) -> None:
    """Names, salts and statements that belong to no entry have no place in a report."""
    signed = story.make()
    stranger = signed.report.names[0].model_copy(update={"participant": "p-zzzzzzzzzzzz"})
    dropped = signed.report.openings[:-1]
    for changes in (
        {"names": [*signed.report.names, stranger]},
        {"openings": dropped},
        {"day": "2026-03-05"},
    ):
        with pytest.raises(ReportNotProven):
            story.judge(story.forged(signed, **changes))


def test_a_stranger_cannot_sign_a_report(story: Story) -> None:
    """Only the exchange answers for what a report leaves out."""
    signed = story.make()
    key = SigningKey.generate()
    renamed = sign(AuditReport.payload_type, signed.report.canonical(), [key])

    with pytest.raises(ReportNotProven) as refusal:
        story.judge(SignedReport(signed.report, renamed))
    assert refusal.value.facts["step"] == 2


def test_a_report_by_a_replaced_key_says_so_and_by_a_revoked_key_is_refused(story: Story) -> None:
    """A key that was replaced still speaks for old reports; one that was revoked speaks for none."""
    signed = story.make()
    parts = story.world.alliance.parts
    old, new = parts.statement_key.public.text, SigningKey.generate().public.text
    until = LogPlace(origin=parts.log.origin, size=parts.log.size())

    def keys(why: str) -> TrustFile:
        ended = TrustedKey.model_validate({"key": old, "until": until, "why": why})
        return story.world.trust(statement_keys=[ended, TrustedKey(key=new)])

    assert OLD_SIGNATURE in story.judge(signed, keys("rotated")).not_proven
    with pytest.raises(ReportNotProven):
        story.judge(signed, keys("revoked"))


def test_without_a_quorum_or_a_participant_there_is_no_verdict(story: Story) -> None:
    """Too few known witnesses, or a participant that the trust root lacks, is undecidable: exit 2."""
    signed = story.make()
    root = story.world.trust().root
    fewer = [one.model_copy(update={"witness_keys": []}) for one in root.participants[:2]]

    with pytest.raises(QuorumMissing):
        story.judge(signed, story.world.trust(participants=[*fewer, *root.participants[2:]]))
    with pytest.raises((UnknownParticipant, QuorumMissing)):
        story.judge(signed, story.world.trust(participants=root.participants[1:], quorum=1))


def test_no_byte_of_a_report_can_change(story: Story) -> None:
    """A flip anywhere in the JSON is refused."""
    raw = story.make().encode()
    for place in range(0, len(raw), len(raw) // 150):
        bent = bytearray(raw)
        bent[place] ^= 1 << place % 7
        with pytest.raises(HeadwatersError):
            verify_report(
                SignedReport.read(bytes(bent)), story.world.trust(), now=story.world.alliance.clock.now()
            )


# --- what makes no report ---------------------------------------------------------------------------


def test_a_day_that_is_not_witnessed_yet_has_no_report(story: Story) -> None:
    """A report stands under a cosigned checkpoint, or is not made."""
    story.world.transfer(release=1)

    with pytest.raises(NotYetWitnessed):
        story.make(DAY + timedelta(days=1))


def test_an_unknown_dataset_and_a_day_to_come_are_named(story: Story) -> None:
    """A misspelt dataset is no empty report, and tomorrow has none."""
    with pytest.raises(DatasetUnknown):
        story.make(dataset="city-sky")
    with pytest.raises(Usage):
        story.make(date(2026, 3, 9))


def test_the_facts_of_a_report_are_read_without_keys(story: Story) -> None:
    """What the page shows needs no trust root; what it is worth does."""
    signed = story.make()

    assert read_facts(signed.report) == story.judge(signed).facts
