"""Corrections at the exchange: a release that replaces an earlier one reaches everybody who had that."""

import pytest

from audit.log.entry import EntryKind
from contracts.messages import Corrects, Manifest, ObjectionState, StepKind
from exchange.catalog import flow as catalog
from exchange.corrections import flow, store
from exchange.corrections.model import CorrectionUnfit, ObjectionNotVerified, StepOutOfTurn
from nodes.signed import peek_statement, sign_statement
from tests.exchange.corrections.disputing import (
    correct,
    deliver,
    hand_in,
    objection,
    raised,
    shown_to,
    take,
    tell,
    verified,
)
from tests.exchange.signers import Participant
from tests.exchange.trading import DATASET, Trade

OTHER = "sha256:" + "0" * 64


def reached(trade: Trade, number: int = 3) -> list[tuple[str, int, bool, bool]]:
    """Tell whom a correction reached: participant, what it had, told or not, holding it or not."""
    found = flow.recipients(trade.alliance.parts, trade.provider.caller, DATASET, number).recipients
    return [(one.participant, one.release, one.told_at is not None, one.received) for one in found]


def test_a_correction_settles_a_verified_objection(trade: Trade) -> None:
    """The release, its link and the objection's state are one act, and the log names all three."""
    shown = verified(trade)
    manifest = correct(trade, 1, shown.objection)
    (entry,) = trade.alliance.entries(EntryKind.CORRECTION)
    after = shown_to(trade.alliance, trade.consumer, shown.objection)
    fields = dict(entry.fields)

    assert fields.pop("dsc")
    assert manifest.corrects is not None
    assert fields == {
        "part": trade.provider.id,
        "obj": shown.objection,
        "old": manifest.corrects.manifest,
        "man": manifest.content_digest(),
        "n": 1,
    }
    assert (after.state, after.overdue, after.recipients) == (ObjectionState.CORRECTED, False, None)
    assert after.correction is not None
    assert peek_statement(after.correction, Manifest).statement == manifest
    assert after.answered_at == trade.alliance.clock.now()


def test_a_correction_reaches_every_earlier_recipient(trade: Trade) -> None:
    """Objector or not; who never received the release is not told, and who received it twice is told once."""
    other, stranger = trade.alliance.join(), trade.alliance.join()
    shown = verified(trade)
    deliver(trade, 1)
    deliver(trade, 1, other)
    deliver(trade, 2, stranger)
    correct(trade, 1, shown.objection)
    tell(trade.alliance)

    assert [len(news.corrections) for news in other.news] == [1]
    assert [len(news.corrections) for news in trade.consumer.news] == [1]
    assert stranger.news == []
    assert sorted(one[0] for one in reached(trade)) == sorted([other.id, trade.consumer.id])
    assert all(told for _, _, told, _ in reached(trade))


def test_who_may_have_received_it_is_told_too(trade: Trade) -> None:
    """A provider's receipt was signed before the first byte left, so its consumer may hold the bytes."""
    other = trade.alliance.join()
    deliver(trade, 1, other, signed=False)
    correct(trade, 1)

    assert reached(trade) == [(other.id, 1, False, False)]


def test_the_provider_sees_who_holds_the_correction(trade: Trade) -> None:
    """Told, then received: a silent recipient is listed until it has the new release."""
    other = trade.alliance.join(manner="silent")
    other.manner = "sign"
    deliver(trade, 1)
    deliver(trade, 1, other)
    other.manner = "silent"
    correct(trade, 1)
    tell(trade.alliance)
    deliver(trade, 3)

    assert sorted(reached(trade)) == sorted([(trade.consumer.id, 1, True, True), (other.id, 1, False, False)])


def test_only_the_provider_sees_the_recipients(trade: Trade) -> None:
    """Who else receives some data is not every consumer's business."""
    shown = verified(trade)
    correct(trade, 1, shown.objection)
    seen = shown_to(trade.alliance, trade.provider, shown.objection).recipients

    assert seen is not None
    assert [one.participant for one in seen] == [trade.consumer.id]
    with pytest.raises(CorrectionUnfit):
        flow.recipients(trade.alliance.parts, trade.consumer.caller, DATASET, 3)
    with pytest.raises(CorrectionUnfit):
        flow.recipients(trade.alliance.parts, trade.provider.caller, DATASET, 2)
    with pytest.raises(CorrectionUnfit):
        flow.recipients(trade.alliance.parts, trade.provider.caller, "city-sky", 3)


def test_a_correction_of_a_correction_reaches_those_who_had_the_first(trade: Trade) -> None:
    """Who never received the release between is told of the newest, and holding that is enough."""
    other = trade.alliance.join()
    deliver(trade, 1)
    deliver(trade, 1, other)
    correct(trade, 1)
    deliver(trade, 3)
    correct(trade, 3, number=4)
    deliver(trade, 4, other)

    assert sorted(reached(trade, 4)) == sorted(
        [(trade.consumer.id, 3, False, False), (other.id, 1, False, True)]
    )
    assert sorted(one[3] for one in reached(trade, 3)) == [True, True]


def test_one_correction_settles_several_objections(trade: Trade) -> None:
    """Each has its entry; each objector hears; recipients are told once."""
    grant = deliver(trade)
    names = []
    for _ in range(2):
        shown = hand_in(trade.alliance, trade.consumer, objection(trade, grant))
        shown = take(trade.alliance, shown, StepKind.ACKNOWLEDGE, trade.provider)
        names.append(take(trade.alliance, shown, StepKind.VERIFY, trade.provider).objection)
    correct(trade, 1, *names)
    entries = trade.alliance.entries(EntryKind.CORRECTION)

    assert [entry.fields["obj"] for entry in entries] == names
    assert {shown_to(trade.alliance, trade.consumer, one).state for one in names} == {
        ObjectionState.CORRECTED
    }
    assert len(reached(trade)) == 1


def test_an_objection_to_what_was_replaced_meanwhile_is_settled_by_the_newest(trade: Trade) -> None:
    """A verified objection to release 1 is settled by what replaces its replacement."""
    shown = verified(trade)
    correct(trade, 1)
    correct(trade, 3, shown.objection, number=4)

    assert shown_to(trade.alliance, trade.provider, shown.objection).state is ObjectionState.CORRECTED


@pytest.mark.parametrize("state", ["open", "acknowledged", "rejected", "corrected", "unknown", "elsewhere"])
def test_only_verified_objections_are_settled(trade: Trade, state: str) -> None:
    """A correction that names any other is refused whole: no release, no link, no entry."""
    shown = raised(trade, 2 if state == "elsewhere" else 1)
    name = shown.objection
    if state in {"acknowledged", "rejected", "corrected", "elsewhere"}:
        shown = take(trade.alliance, shown, StepKind.ACKNOWLEDGE, trade.provider)
    if state in {"corrected", "elsewhere"}:
        take(trade.alliance, shown, StepKind.VERIFY, trade.provider)
    if state == "rejected":
        take(trade.alliance, shown, StepKind.REJECT, trade.provider)
    if state == "corrected":
        correct(trade, 1, name)
    if state == "unknown":
        name = "o-aaaaaaaaaaaa"
    number = 4 if state == "corrected" else 3
    before = len(trade.alliance.entries())
    with pytest.raises(ObjectionNotVerified):
        correct(trade, number - 1 if state == "corrected" else 1, name, number=number)

    assert len(trade.alliance.entries()) == before
    assert len(catalog.releases(trade.alliance.parts, DATASET, 0).releases) == number - 1


def test_another_providers_objection_is_not_settled(trade: Trade) -> None:
    """A provider names an objection that was made to somebody else's data."""
    shown = verified(trade)
    rival = trade.alliance.join()
    trade.alliance.declare(rival, "city-sky")
    trade.alliance.publish(rival, 1, "city-sky")
    theirs = Trade(trade.alliance, rival, trade.consumer, trade.subscription)

    with pytest.raises((ObjectionNotVerified, CorrectionUnfit)):
        correct_sky(theirs, rival, shown.objection)
    assert shown_to(trade.alliance, trade.provider, shown.objection).state is ObjectionState.VERIFIED


def correct_sky(trade: Trade, rival: Participant, name: str) -> None:
    """Let a rival publish a correction of its own release that names an objection."""
    (first,) = catalog.releases(trade.alliance.parts, "city-sky", 0).releases
    digest = peek_statement(first.manifest_envelope, Manifest).digest
    corrects = Corrects(number=1, manifest=digest, objections=[name])
    manifest = trade.alliance.manifest(rival, "city-sky", number=2, previous=digest, corrects=corrects)
    envelope = sign_statement(manifest, rival.key).text
    trade.alliance.run(catalog.publish_release(trade.alliance.parts, rival.caller, "city-sky", envelope))


def test_a_correction_names_an_earlier_release_as_it_is(trade: Trade) -> None:
    """Number and digest are those of a release of the same feed that came before; none is named twice."""
    (listed, _) = catalog.releases(trade.alliance.parts, DATASET, 0).releases
    digest = peek_statement(listed.manifest_envelope, Manifest).digest
    twice = ["o-aaaaaaaaaaaa"] * 2
    links = [(9, digest, []), (3, digest, []), (1, OTHER, []), (1, digest, twice)]
    for number, manifest, names in links:
        link = Corrects(number=number, manifest=manifest, objections=names)
        with pytest.raises(CorrectionUnfit):
            correct(trade, 1, corrects=link)

    assert trade.alliance.entries(EntryKind.CORRECTION) == []


def test_a_release_is_replaced_once(trade: Trade) -> None:
    """The refusal names the newest release in its place."""
    correct(trade, 1)
    correct(trade, 3, number=4)
    with pytest.raises(CorrectionUnfit) as refused:
        correct(trade, 1, number=5)

    assert refused.value.facts["release"] == 4


def test_a_repeated_correction_changes_nothing(trade: Trade) -> None:
    """The same manifest after a crash: one release, one link, one entry."""
    shown = verified(trade)
    correct(trade, 1, shown.objection)
    envelope = catalog.releases(trade.alliance.parts, DATASET, 2).releases[0].manifest_envelope
    trade.alliance.run(
        catalog.publish_release(trade.alliance.parts, trade.provider.caller, DATASET, envelope)
    )
    with trade.alliance.parts.database.read() as session:
        links = store.replaced(session, DATASET)

    assert links == {1: 3}
    assert len(trade.alliance.entries(EntryKind.CORRECTION)) == 1


def test_the_objector_closes_what_was_corrected(trade: Trade) -> None:
    """Closed is closed: nothing follows."""
    shown = verified(trade)
    correct(trade, 1, shown.objection)
    shown = shown_to(trade.alliance, trade.consumer, shown.objection)
    closed = take(trade.alliance, shown, StepKind.CLOSE, trade.consumer)

    assert (closed.state, closed.closed_why) == (ObjectionState.CLOSED, "closed-by-objector")
    with pytest.raises(StepOutOfTurn):
        take(trade.alliance, closed, StepKind.CLOSE, trade.consumer)
