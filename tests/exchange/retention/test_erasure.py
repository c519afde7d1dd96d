"""Evidence goes when its time is over, and by an administrator only; the log and every proof of it stay."""

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from sqlmodel import col, select

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, verify_inclusion
from audit.formats.note import parse_note
from audit.log.entry import Entry, EntryKind, parse_entry
from contracts.clock import BEIJING
from contracts.errors import Refused
from contracts.messages import LoggedGrant, ReceiptRole, Role
from exchange.agreements import flow as agreements
from exchange.agreements.tables import AgreementRow, ApplicationRow
from exchange.evidence import EvidenceErased, EvidenceRow, reveal
from exchange.identity import Person
from exchange.incidents.tables import DenialRow
from exchange.log.offline import fsck_folder
from exchange.retention import flow
from exchange.retention.model import Erased, TooYoung, cutoff_of
from exchange.transfers.tables import TransferRow
from tests.exchange.trading import Alliance, Trade, grant_of

ADMIN = Person("zhang-wei", frozenset({Role.ADMINISTRATOR}), bytes(32))
YEAR = 366 * 86_400


@dataclass
class Story:
    """A transfer of six years ago, a refusal of then, and a transfer of today."""

    alliance: Alliance
    trade: Trade
    old: LoggedGrant
    new: LoggedGrant
    leaves: list[bytes]

    @property
    def today(self) -> date:
        return self.alliance.clock.now().astimezone(BEIJING).date()

    def erase(self) -> Erased:
        """Erase as much as may be erased."""
        before = self.today - timedelta(days=5 * 366)
        return self.alliance.run(flow.erase(self.alliance.parts, ADMIN, before))[1]


def transfer(alliance: Alliance, trade: Trade, subscription: str) -> LoggedGrant:
    """Let one release move and be signed for."""
    logged = alliance.request(trade.consumer, subscription)
    given = alliance.receipt(trade.provider, ReceiptRole.PROVIDER, logged)
    taken = alliance.receipt(trade.consumer, ReceiptRole.CONSUMER, logged)
    alliance.deliver(trade.consumer, logged, given, taken)
    return logged


@pytest.fixture
def story(alliance: Alliance, trade: Trade) -> Story:
    """Play the story."""
    old = transfer(alliance, trade, trade.subscription)
    with pytest.raises(Refused):
        alliance.apply(trade.consumer, purpose="curiosity")
    alliance.clock.advance(6 * YEAR)
    new = transfer(alliance, trade, alliance.agreed(trade.consumer).subscription)
    size = alliance.parts.log.size()
    return Story(alliance, trade, old, new, alliance.parts.log.entries(0, size))


def everything(story: Story) -> bytes:
    """Give every byte of the database on the disk."""
    path = story.alliance.parts.database.path
    assert path is not None
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_what_is_old_goes_and_what_is_young_stays(story: Story) -> None:
    """Salts, values, grants, receipts, terms and applications of then are gone; those of today are not."""
    erased = story.erase()
    with story.alliance.parts.database.read() as session:
        rows = {row.grant_id: row for row in session.exec(select(TransferRow))}
        values = list(session.exec(select(EvidenceRow.at)))
        terms = sorted(session.exec(select(AgreementRow.envelope)), key=len)
        waiting = list(session.exec(select(ApplicationRow.application)))
        denied = list(session.exec(select(DenialRow.dataset)))
    old, new = rows[grant_of(story.old).grant], rows[grant_of(story.new).grant]

    assert (erased.transfers, erased.agreements, erased.applications, erased.denials) == (1, 1, 1, 1)
    assert (old.envelope, old.provider_receipt, old.consumer_receipt) == ("", None, None)
    assert (old.leaf, old.state) == (story.leaves[story.old.index], "done")
    assert new.envelope == story.new.grant_envelope
    assert erased.evidence > 0
    assert min(values) > 6 * YEAR * 1000
    assert (len(terms), terms[0], len(waiting), denied) == (2, "", 1, [""])
    assert terms[1] != ""


def test_the_log_stays_as_it_was(story: Story) -> None:
    """Every leaf keeps its bytes, every proof holds, and the walk over the log is sound."""
    before = story.alliance.parts.log.checkpoint()
    story.erase()
    parts = story.alliance.parts
    size = len(story.leaves)
    old = Checkpoint.parse(parse_note(before).text)
    for index, leaf in enumerate(story.leaves):
        path = parts.log.inclusion_path(index, size)
        verify_inclusion(leaf_hash(parts.log.entry(index)), index, size, path, old.root)

        assert parts.log.entry(index) == leaf
    assert fsck_folder(parts.settings.home).ok


def test_the_leaf_says_nothing_any_more(story: Story) -> None:
    """No salt, no grant and no receipt of then is left on the disk, so no commitment can be opened."""
    grant = grant_of(story.old)
    before = everything(story)
    story.erase()
    after = everything(story)
    traces = [grant.salt.encode(), bytes.fromhex(grant.salt), b"5a" * 32, grant.canonical()]

    assert [trace in before for trace in traces][:2] == [True, True]
    assert [trace in after for trace in traces] == [False] * 4
    with story.alliance.parts.database.read() as session:
        opened = [
            reveal(session, str(_fields(story.leaves[story.old.index])[name])) for name in ("ev", "dsc")
        ]
        kept = reveal(session, str(_fields(story.leaves[story.new.index])["ev"]))

    assert opened == [None, None]
    assert kept is not None


def test_the_act_is_on_record_before_anything_is_gone(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that breaks off has left its entry; the next run erases the rest and leaves another."""

    def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setitem(flow._ERASERS, "transfers", broken)
        with pytest.raises(OSError, match="gone"):
            story.erase()
    acts = _acts(story)
    erased = story.erase()

    assert [entry.fields["what"] for entry in acts] == ["evidence.erase"]
    assert erased.transfers == 1
    assert len(_acts(story)) == 2


def test_a_second_run_finds_nothing(story: Story) -> None:
    """Erasing again changes nothing but adds its entry."""
    story.erase()

    assert story.erase() == Erased()


def test_what_is_too_young_is_refused_and_leaves_no_entry(story: Story) -> None:
    """Nobody can erase what must be kept, and the refusal names the first day that could be."""
    before = story.today - timedelta(days=4 * 366)
    with pytest.raises(TooYoung) as refusal:
        story.alliance.run(flow.erase(story.alliance.parts, ADMIN, before))

    assert refusal.value.facts["earliest"] == str(story.today.replace(year=story.today.year - 5))
    assert _acts(story) == []
    with story.alliance.parts.database.read() as session:
        assert not list(session.exec(select(TransferRow).where(col(TransferRow.envelope) == "")))


@pytest.mark.parametrize("years", [0, 1, 3])
def test_no_setting_goes_below_the_floor_of_three_years(story: Story, years: int) -> None:
    """The law's three years hold whatever is asked for."""
    now = story.alliance.clock.now()
    day = now.astimezone(BEIJING).date()

    with pytest.raises(TooYoung):
        cutoff_of(day.replace(year=day.year - 3) + timedelta(days=1), now=now, retention_years=years)
    assert cutoff_of(day.replace(year=day.year - 3), now=now, retention_years=years) < now


def test_receipts_that_come_for_an_erased_transfer_are_told_so(story: Story) -> None:
    """A receipt of six years ago, delivered again, is answered with the reason and not with a fault."""
    alliance, trade = story.alliance, story.trade
    given = alliance.receipt(trade.provider, ReceiptRole.PROVIDER, story.old)
    story.erase()

    with pytest.raises(EvidenceErased):
        alliance.deliver(trade.provider, story.old, given)


def test_the_rest_of_the_exchange_goes_on(story: Story) -> None:
    """Heads, totals and the lists of both sides can be read after an erasure, and the next transfer works."""
    story.erase()
    alliance, trade = story.alliance, story.trade
    with alliance.parts.database.read() as session:
        heads = alliance.parts.hooks.heads(alliance.parts, session)
        totals = alliance.parts.hooks.tally(session)

    assert heads.count(b'"last_leaf"') == 2
    assert (totals.done, totals.denied) == (2, 1)
    assert len(agreements.applications(alliance.parts, trade.consumer.caller)) == 1
    assert alliance.request(trade.consumer, grant_of(story.new).subscription, release=2).index > 0


def _fields(leaf: bytes) -> dict[str, object]:
    return dict(parse_entry(leaf).fields)


def _acts(story: Story) -> list[Entry]:
    return [
        entry
        for entry in story.alliance.entries(EntryKind.ADMIN_ACT)
        if entry.fields["what"] == "evidence.erase"
    ]
