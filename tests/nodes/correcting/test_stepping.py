"""Steps of both sides: verified before they follow, signed before they are sent, believed of nobody else."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from audit.keys.signing import SigningKey
from contracts.errors import Conflict, Unavailable
from contracts.messages import FiledStep, Objection, ObjectionState, ObjectionStep, ObjectionView, StepKind
from nodes.correcting import store
from nodes.correcting.chain import ObjectionAltered, may_be_over
from nodes.correcting.hearing import UNSOUND, hear
from nodes.correcting.stepping import NoSuchObjection, NotThisSide, read_anew, refresh, tick
from nodes.signed import peek_statement, sign_statement
from tests.nodes.correcting.disputes import bring, correct, dispute, exchange_of, received, step, verified
from tests.nodes.sharing import World

ACK, VERIFY, REJECT, CLOSE = StepKind.ACKNOWLEDGE, StepKind.VERIFY, StepKind.REJECT, StepKind.CLOSE


def test_words_travel_sealed_to_the_other_side(world: World) -> None:
    """The objector reads why it was rejected; the exchange does not."""
    name = dispute(received(world)).objection
    step(world.provider, name, ACK)
    step(world.provider, name, REJECT, "the certificate is of another probe")
    row = refresh(world.consumer, name)
    told = store.steps(world.consumer, name)

    assert row.state == ObjectionState.REJECTED.value
    assert [one.words for one in told] == [None, "the certificate is of another probe"]
    assert b"another probe" not in exchange_of(world).view(name).canonical()


def test_a_provider_signs_only_its_own_steps_in_turn(world: World) -> None:
    """What the exchange would refuse is not signed at all."""
    name = dispute(received(world)).objection
    for kind in (StepKind.WITHDRAW, CLOSE, VERIFY):
        with pytest.raises(NotThisSide):
            step(world.provider, name, kind)

    assert store.steps(world.provider, name) == []


def test_an_unknown_objection_is_not_found(world: World) -> None:
    """Neither side steps on what does not exist."""
    with pytest.raises(NoSuchObjection):
        step(world.provider, "o-aaaaaaaaaaaa", ACK)


def test_a_step_is_sent_once_after_a_crash(world: World) -> None:
    """The same bytes go again and the next step follows them."""
    name = dispute(received(world)).objection
    bring(world, world.provider, name)
    exchange_of(world).lose_answers = 1
    with pytest.raises(Unavailable):
        step(world.provider, name, ACK, "we look into it")
    (waiting,) = store.steps(world.provider, name)
    moved = (waiting.sent, tick(world.provider), tick(world.provider))
    step(world.provider, name, VERIFY)

    assert moved == (False, 1, 0)
    assert store.steps(world.provider, name)[0].envelope == waiting.envelope
    assert len(exchange_of(world).view(name).steps) == 2


def test_a_waiting_step_goes_before_another(world: World) -> None:
    """A person who goes on after a lost answer does not sign over it."""
    name = dispute(received(world)).objection
    bring(world, world.provider, name)
    exchange_of(world).lose_answers = 1
    with pytest.raises(Unavailable):
        step(world.provider, name, ACK)
    row = step(world.provider, name, VERIFY)

    assert row.state == ObjectionState.VERIFIED.value
    assert [one.sent for one in store.steps(world.provider, name)] == [True, True]


def test_a_refused_step_leaves_nothing(world: World) -> None:
    """The number is free again."""
    name = dispute(received(world)).objection
    exchange_of(world).refuse = Conflict("not today")
    with pytest.raises(Conflict):
        step(world.provider, name, ACK)
    exchange_of(world).refuse = None

    assert store.steps(world.provider, name) == []
    assert step(world.provider, name, ACK).state == ObjectionState.ACKNOWLEDGED.value


# --- an exchange that lies ------------------------------------------------------------------------------


def _says(state: ObjectionState) -> Callable[[ObjectionView], ObjectionView]:
    return lambda shown: shown.model_copy(update={"state": state})


def _drops_first_step(shown: ObjectionView) -> ObjectionView:
    return shown.model_copy(update={"steps": shown.steps[1:]})


def _repeats_first_step(shown: ObjectionView) -> ObjectionView:
    return shown.model_copy(update={"steps": [shown.steps[0], *shown.steps]})


def _forges_a_step(shown: ObjectionView) -> ObjectionView:
    forged = sign_statement(
        peek_statement(shown.steps[0].envelope, ObjectionStep).statement, SigningKey.generate()
    )
    return shown.model_copy(update={"steps": [FiledStep(envelope=forged.text), *shown.steps[1:]]})


def _forges_the_objection(shown: ObjectionView) -> ObjectionView:
    said = peek_statement(shown.envelope, Objection).statement.model_copy(update={"records": 7})
    return shown.model_copy(update={"envelope": sign_statement(said, SigningKey.generate()).text})


def _closes_by_time(shown: ObjectionView) -> ObjectionView:
    return shown.model_copy(update={"state": ObjectionState.CLOSED, "closed_why": "time-over"})


def _names_another(shown: ObjectionView) -> ObjectionView:
    return shown.model_copy(update={"objection": "o-aaaaaaaaaaaa"})


LIES = [
    _says(ObjectionState.REJECTED),
    _says(ObjectionState.CORRECTED),
    _says(ObjectionState.OPEN),
    _drops_first_step,
    _repeats_first_step,
    _forges_a_step,
    _forges_the_objection,
    _closes_by_time,
    _names_another,
]


def test_no_lie_about_an_objection_is_believed(world: World) -> None:
    """A state follows from signed steps in their chain; anything else becomes an alarm of the node."""
    name = verified(received(world))
    bring(world, world.consumer, name)
    before = store.find(world.consumer, name)
    for lie in LIES:
        exchange_of(world).spoil = lie
        bring(world, world.consumer, name)
        assert store.find(world.consumer, name) == before
    alarms = [alarm.event_class for alarm in world.consumer.alarms.after()]

    assert alarms
    assert set(alarms) == {UNSOUND}


def test_an_answer_is_not_closed_before_its_time(world: World) -> None:
    """An exchange that wants an objection gone cannot close it by time while the objector may still speak."""
    name = dispute(received(world)).objection
    step(world.provider, name, ACK)
    step(world.provider, name, StepKind.REJECT, "as measured")
    shown = _closes_by_time(exchange_of(world).view(name))

    with pytest.raises(ObjectionAltered):
        hear(world.consumer, shown)
    now = world.clock.now()
    assert not may_be_over(now - timedelta(days=9), now)
    assert may_be_over(now - timedelta(days=10), now)


def test_an_overtaken_answer_takes_nothing_back(world: World) -> None:
    """What was verified and kept is not forgotten because an older answer arrives later."""
    name = dispute(received(world)).objection
    older = exchange_of(world).view(name)
    step(world.provider, name, ACK)
    refresh(world.consumer, name)
    row = hear(world.consumer, older)

    assert row.state == ObjectionState.ACKNOWLEDGED.value


def test_a_correction_is_not_taken_back(world: World) -> None:
    """An answer from before the correction changes nothing at the objector."""
    name = verified(received(world))
    older = exchange_of(world).view(name)
    correct(world, name)
    refresh(world.consumer, name)

    assert hear(world.consumer, older).correction == 2


def test_an_objection_about_what_was_never_delivered_is_not_kept(world: World) -> None:
    """The objector may sign what it likes: the provider's own books say what it delivered."""
    row = dispute(received(world))
    said = peek_statement(row.envelope, Objection).statement
    invented = said.model_copy(update={"view": "sha256:" + "0" * 64})
    envelope = sign_statement(invented, world.consumer.node_key).text
    shown = exchange_of(world).view(row.objection).model_copy(update={"envelope": envelope})
    with pytest.raises(ObjectionAltered):
        hear(world.provider, shown)

    assert store.find(world.provider, row.objection) is None


def test_what_the_news_left_out_is_read_from_the_list(world: World) -> None:
    """A node that was away reads every objection of its own that stands otherwise than it knew."""
    name = dispute(received(world)).objection
    read_anew(world.provider)
    step(world.provider, name, ACK)
    read_anew(world.consumer)
    known = [store.find(node, name) for node in (world.provider, world.consumer)]

    assert [None if row is None else row.state for row in known] == [ObjectionState.ACKNOWLEDGED.value] * 2
