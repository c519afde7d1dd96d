"""Objections at the exchange: only a recipient makes one, each side takes its own steps, in one chain."""

from typing import Any

import pytest

from audit.keys.signing import SignatureInvalid, SigningKey
from audit.log.entry import EntryKind
from contracts.canonical import sha256_hex
from contracts.identifiers import Kind, new_id
from contracts.messages import MemberStatus, Objection, ObjectionState, ObjectionStep, StepKind
from exchange.corrections import flow, store
from exchange.corrections.model import (
    MAX_OPEN_OBJECTIONS,
    NotReceived,
    ObjectionTaken,
    ObjectionUnknown,
    ReleaseReplaced,
    StepNotYours,
    StepOutOfTurn,
    StepUnchained,
    TooManyObjections,
    WordsMissing,
)
from exchange.evidence import OtherSigner, logged_place
from nodes.signed import peek_statement
from tests.exchange.corrections.disputing import (
    SEALED,
    correct,
    deliver,
    hand_in,
    hand_in_step,
    objection,
    raised,
    shown_to,
    step_after,
    take,
    tell,
    verified,
)
from tests.exchange.signers import Participant
from tests.exchange.trading import Trade

ACK, VERIFY, REJECT = StepKind.ACKNOWLEDGE, StepKind.VERIFY, StepKind.REJECT
WITHDRAW, CLOSE = StepKind.WITHDRAW, StepKind.CLOSE
OTHER = "sha256:" + "0" * 64


# --- raised -----------------------------------------------------------------------------------------


def test_a_recipient_objects_and_the_log_says_so(trade: Trade) -> None:
    """The entry names both sides, grant, manifest and statement, and neither dataset nor what is wrong."""
    grant = deliver(trade)
    said = objection(trade, grant)
    shown = hand_in(trade.alliance, trade.consumer, said)
    (entry,) = trade.alliance.entries(EntryKind.OBJECTION_OPEN)
    digest = peek_statement(shown.envelope, Objection).digest
    with trade.alliance.parts.database.read() as session:
        place = logged_place(session, digest)

    fields = dict(entry.fields)
    assert fields.pop("dsc")
    assert fields == {
        "obj": said.objection,
        "cons": trade.consumer.id,
        "prov": trade.provider.id,
        "gid": grant.grant,
        "man": grant.manifest,
        "n": 1,
        "dig": digest,
    }
    assert place is not None
    assert (shown.state, shown.overdue, shown.sealed) == (ObjectionState.OPEN, False, SEALED)
    assert shown_to(trade.alliance, trade.provider, said.objection) == shown


def test_the_same_objection_again_changes_nothing(trade: Trade) -> None:
    """A node repeats after a crash; there is one entry and one piece of news."""
    said = objection(trade, deliver(trade))
    first = hand_in(trade.alliance, trade.consumer, said)
    again = hand_in(trade.alliance, trade.consumer, said)

    assert again == first
    assert len(trade.alliance.entries(EntryKind.OBJECTION_OPEN)) == 1
    assert tell(trade.alliance) == 1
    assert len(trade.provider.news) == 1


def test_particulars_sealed_anew_reach_the_provider_again(trade: Trade) -> None:
    """A provider whose sealing key was replaced gets the same particulars under the new one."""
    said = objection(trade, deliver(trade))
    hand_in(trade.alliance, trade.consumer, said)
    tell(trade.alliance)
    hand_in(trade.alliance, trade.consumer, said, sealed="bmV3")
    tell(trade.alliance)

    assert [news.objections[0].sealed for news in trade.provider.news] == [SEALED, "bmV3"]
    assert len(trade.alliance.entries(EntryKind.OBJECTION_OPEN)) == 1


def test_a_number_stands_for_one_objection(trade: Trade) -> None:
    """Other words under a number in use are refused."""
    said = objection(trade, deliver(trade))
    hand_in(trade.alliance, trade.consumer, said)

    with pytest.raises(ObjectionTaken):
        hand_in(trade.alliance, trade.consumer, said.model_copy(update={"records": 2}))


def test_only_what_was_signed_for_is_objected_to(trade: Trade) -> None:
    """Every fact of the delivery has to be as the consumer's own receipt and the log have it."""
    grant = deliver(trade)
    changes: list[dict[str, Any]] = [
        {"release": 2},
        {"manifest": OTHER},
        {"view": OTHER},
        {"dataset": "city-sky"},
        {"grant": new_id(Kind.GRANT)},
        {"provider": new_id(Kind.PARTICIPANT)},
    ]
    for change in changes:
        with pytest.raises(NotReceived):
            hand_in(trade.alliance, trade.consumer, objection(trade, grant, **change))

    assert trade.alliance.entries(EntryKind.OBJECTION_OPEN) == []


def test_nobody_objects_to_what_it_did_not_sign_for(trade: Trade) -> None:
    """A delivery of which only the provider has signed gives no right to object."""
    said = objection(trade, deliver(trade, signed=False))

    with pytest.raises(NotReceived):
        hand_in(trade.alliance, trade.consumer, said)


def test_another_consumer_objects_to_its_own_delivery_only(trade: Trade) -> None:
    """A stranger names the grant of a recipient, and is none."""
    stranger = trade.alliance.join()
    said = objection(trade, deliver(trade), objector=stranger.id)

    with pytest.raises(NotReceived):
        hand_in(trade.alliance, stranger, said)


def test_the_provider_does_not_object_to_its_own_data(trade: Trade) -> None:
    """It corrects without an objection."""
    said = objection(trade, deliver(trade), objector=trade.provider.id)

    with pytest.raises(NotReceived):
        hand_in(trade.alliance, trade.provider, said)


def test_nobody_objects_in_anothers_name(trade: Trade) -> None:
    """Neither with one's own key, nor by sending what the other signed."""
    said = objection(trade, deliver(trade))
    stranger = trade.alliance.join()

    with pytest.raises(OtherSigner):
        hand_in(trade.alliance, stranger, said)
    with pytest.raises(SignatureInvalid):
        hand_in(trade.alliance, stranger, said, key=trade.consumer)
    forger = Participant(trade.consumer.id, SigningKey.generate())
    with pytest.raises(SignatureInvalid):
        hand_in(trade.alliance, trade.consumer, said, key=forger)


def test_a_replaced_release_is_not_objected_to(trade: Trade) -> None:
    """Its correction may have mended the fault; the refusal names it."""
    grant = deliver(trade)
    correct(trade, 1)

    with pytest.raises(ReleaseReplaced) as refused:
        hand_in(trade.alliance, trade.consumer, objection(trade, grant))
    assert refused.value.facts["release"] == 3


def test_unanswered_objections_are_limited(trade: Trade) -> None:
    """Twenty wait at most; one that is withdrawn makes room."""
    grant = deliver(trade)
    made = [
        hand_in(trade.alliance, trade.consumer, objection(trade, grant)) for _ in range(MAX_OPEN_OBJECTIONS)
    ]
    with pytest.raises(TooManyObjections):
        hand_in(trade.alliance, trade.consumer, objection(trade, grant))
    take(trade.alliance, made[0], WITHDRAW, trade.consumer)

    assert hand_in(trade.alliance, trade.consumer, objection(trade, grant)).state is ObjectionState.OPEN


# --- steps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ([ACK], ObjectionState.ACKNOWLEDGED),
        ([ACK, VERIFY], ObjectionState.VERIFIED),
        ([ACK, REJECT], ObjectionState.REJECTED),
        ([ACK, REJECT, CLOSE], ObjectionState.CLOSED),
        ([WITHDRAW], ObjectionState.WITHDRAWN),
        ([ACK, WITHDRAW], ObjectionState.WITHDRAWN),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else value,
)
def test_each_way_through(trade: Trade, kinds: list[StepKind], state: ObjectionState) -> None:
    """Each step is logged with its signer, its number and the digest of the signed statement."""
    shown = raised(trade)
    for kind in kinds:
        by = trade.consumer if kind in {WITHDRAW, CLOSE} else trade.provider
        shown = take(trade.alliance, shown, kind, by)
    logged = [entry.fields for entry in trade.alliance.entries(EntryKind.OBJECTION_STEP)]
    digests = [peek_statement(one.envelope, ObjectionStep).digest for one in shown.steps]

    assert shown.state is state
    assert [(one["n"], one["what"], one["dig"]) for one in logged] == [
        (number, kind.value, digest)
        for number, (kind, digest) in enumerate(zip(kinds, digests, strict=True), start=1)
    ]


_LEADING = {
    ObjectionState.OPEN: [],
    ObjectionState.ACKNOWLEDGED: [ACK],
    ObjectionState.VERIFIED: [ACK, VERIFY],
    ObjectionState.REJECTED: [ACK, REJECT],
    ObjectionState.WITHDRAWN: [WITHDRAW],
    ObjectionState.CLOSED: [ACK, REJECT, CLOSE],
}
_ALLOWED = {
    (ObjectionState.OPEN, ACK),
    (ObjectionState.OPEN, WITHDRAW),
    (ObjectionState.ACKNOWLEDGED, VERIFY),
    (ObjectionState.ACKNOWLEDGED, REJECT),
    (ObjectionState.ACKNOWLEDGED, WITHDRAW),
    (ObjectionState.REJECTED, CLOSE),
}


@pytest.mark.parametrize("state", _LEADING, ids=str)
def test_every_other_step_is_out_of_turn(trade: Trade, state: ObjectionState) -> None:
    """In each state exactly the steps of the diagram have a place; the rest changes nothing."""
    shown = raised(trade)
    for kind in _LEADING[state]:
        by = trade.consumer if kind in {WITHDRAW, CLOSE} else trade.provider
        shown = take(trade.alliance, shown, kind, by)
    for kind in set(StepKind) - {step for at, step in _ALLOWED if at is state}:
        by = trade.consumer if kind in {WITHDRAW, CLOSE} else trade.provider
        with pytest.raises(StepOutOfTurn):
            take(trade.alliance, shown, kind, by)

    assert shown_to(trade.alliance, trade.provider, shown.objection) == shown


def test_each_side_takes_its_own_steps(trade: Trade) -> None:
    """The objector verifies nothing; the provider withdraws nothing."""
    shown = raised(trade)
    for kind, by in ((ACK, trade.consumer), (WITHDRAW, trade.provider)):
        with pytest.raises(StepNotYours):
            take(trade.alliance, shown, kind, by)


def test_a_stranger_neither_steps_nor_reads(trade: Trade) -> None:
    """To everybody but its sides an objection does not exist."""
    shown, stranger = raised(trade), trade.alliance.join()
    with pytest.raises(ObjectionUnknown):
        take(trade.alliance, shown, ACK, stranger)
    with pytest.raises(ObjectionUnknown):
        shown_to(trade.alliance, stranger, shown.objection)

    assert flow.objections(trade.alliance.parts, stranger.caller).objections == []


def test_a_step_in_anothers_name_is_refused(trade: Trade) -> None:
    """The provider's step, signed and sent by the objector."""
    said = step_after(raised(trade), ACK, trade.provider)

    with pytest.raises(OtherSigner):
        hand_in_step(trade.alliance, trade.consumer, said)


def test_a_replayed_step_changes_nothing(trade: Trade) -> None:
    """The same statement gets the same answer, also after later ones, and there is one entry for it."""
    shown = raised(trade)
    said = step_after(shown, ACK, trade.provider)
    hand_in_step(trade.alliance, trade.provider, said)
    done = take(
        trade.alliance, shown_to(trade.alliance, trade.provider, shown.objection), REJECT, trade.provider
    )
    again = hand_in_step(trade.alliance, trade.provider, said)

    assert again == done
    assert len(trade.alliance.entries(EntryKind.OBJECTION_STEP)) == 2


@pytest.mark.parametrize("change", [{"number": 2}, {"previous": OTHER}], ids=["number", "previous"])
def test_a_step_follows_the_newest_statement(trade: Trade, change: dict[str, Any]) -> None:
    """A step that was signed over another history is refused."""
    with pytest.raises(StepUnchained):
        take(trade.alliance, raised(trade), ACK, trade.provider, **change)


def test_a_step_of_one_objection_is_no_step_of_another(trade: Trade) -> None:
    """The address and the statement name the same objection."""
    first, second = (
        raised(trade),
        hand_in(trade.alliance, trade.consumer, objection(trade, deliver(trade, 2))),
    )
    said = step_after(first, ACK, trade.provider)

    with pytest.raises(StepUnchained):
        hand_in_step(trade.alliance, trade.provider, said.model_copy(update={"objection": second.objection}))


def test_words_come_with_their_digest(trade: Trade) -> None:
    """A digest without words, and words without a digest, are refused."""
    shown = raised(trade)
    with pytest.raises(WordsMissing):
        take(trade.alliance, shown, ACK, trade.provider, words=sha256_hex(b"words"))
    with pytest.raises(WordsMissing):
        hand_in_step(trade.alliance, trade.provider, step_after(shown, ACK, trade.provider), sealed=SEALED)
    said = step_after(shown, ACK, trade.provider, words=sha256_hex(b"words"))

    assert hand_in_step(trade.alliance, trade.provider, said, sealed=SEALED).steps[0].sealed == SEALED


def test_what_is_verified_is_not_withdrawn(trade: Trade) -> None:
    """From then on the fault concerns every other recipient too."""
    with pytest.raises(StepOutOfTurn):
        take(trade.alliance, verified(trade), WITHDRAW, trade.consumer)


# --- news -------------------------------------------------------------------------------------------


def test_the_other_side_hears_of_each_step(trade: Trade) -> None:
    """The provider of the objection, the objector of the acknowledgement; nobody hears of its own acts."""
    shown = raised(trade)
    first = tell(trade.alliance)
    take(trade.alliance, shown, ACK, trade.provider)
    second = tell(trade.alliance)

    assert (first, second, tell(trade.alliance)) == (1, 1, 0)
    assert [news.objections[0].state for news in trade.provider.news] == [ObjectionState.OPEN]
    assert [news.objections[0].state for news in trade.consumer.news] == [ObjectionState.ACKNOWLEDGED]


@pytest.mark.parametrize("manner", ["silent", "nonsense"])
def test_news_waits_for_a_node_that_does_not_take_it(trade: Trade, manner: Any) -> None:
    """A node that is away, or that fails, is told once it is back."""
    raised(trade)
    trade.provider.manner = manner
    missed = tell(trade.alliance)
    trade.provider.manner = "sign"

    assert (missed, tell(trade.alliance), len(trade.provider.news)) == (0, 1, 1)


def test_a_suspended_node_is_told_when_it_is_back(trade: Trade) -> None:
    """Nothing goes to a node out of good standing."""
    raised(trade)
    trade.alliance.set_status(trade.provider, MemberStatus.SUSPENDED)
    missed = tell(trade.alliance)
    trade.alliance.set_status(trade.provider, MemberStatus.ACTIVE)

    assert (missed, tell(trade.alliance)) == (0, 1)


def test_what_changes_while_it_is_told_is_told_again(trade: Trade) -> None:
    """Only the state that the node took is crossed off."""
    log, shown = trade.alliance.parts.log, raised(trade)

    def change_once() -> None:
        trade.provider.while_told = None
        log.commit_blocking(lambda unit: store.owe_news(unit.session, trade.provider.id, shown.objection))

    trade.provider.while_told = change_once

    assert [tell(trade.alliance), tell(trade.alliance), tell(trade.alliance)] == [1, 1, 0]
