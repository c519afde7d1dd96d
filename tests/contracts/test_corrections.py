"""The words of objections: which step follows which, and what their shapes refuse."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import (
    AWAITS_OBJECTOR,
    AWAITS_PROVIDER,
    MAX_DISPUTED,
    PROVIDER_STEPS,
    BadMessage,
    CorrectionNews,
    DisputedRecord,
    ObjectionState,
    ObjectionView,
    Particulars,
    StepKind,
    state_after,
)

DIGEST = "sha256:" + "0" * 64
ENDS = {ObjectionState.WITHDRAWN, ObjectionState.CLOSED}


def test_nothing_follows_an_end() -> None:
    """What was withdrawn or closed stays so."""
    assert {state_after(state, step) for state, step in itertools.product(ENDS, StepKind)} == {None}


def test_each_side_moves_only_while_its_turn_lasts() -> None:
    """The provider moves while its answer is awaited; the objector withdraws then, and closes afterwards."""
    moves = {
        (state, step) for state in ObjectionState for step in StepKind if state_after(state, step) is not None
    }

    assert all(state in AWAITS_PROVIDER for state, step in moves if step in PROVIDER_STEPS)
    assert {state for state, step in moves if step is StepKind.CLOSE} == AWAITS_OBJECTOR
    assert {state for state, step in moves if step is StepKind.WITHDRAW} == {
        ObjectionState.OPEN,
        ObjectionState.ACKNOWLEDGED,
    }


@given(st.lists(st.sampled_from(StepKind), max_size=12))
def test_no_way_of_steps_is_longer_than_three(kinds: list[StepKind]) -> None:
    """Steps that have a place come to an end; a correction comes between the second and the third."""
    state, taken = ObjectionState.OPEN, 0
    for kind in kinds:
        after = state_after(state, kind)
        if after is not None:
            state, taken = after, taken + 1

    assert taken <= 3


def record(row: int, pointer: str = "/ph") -> DisputedRecord:
    """Dispute a record."""
    return DisputedRecord(row=row, pointer=pointer, record=DIGEST)


def test_particulars_have_their_limits() -> None:
    """So many records, each place once, with a salt of 32 bytes."""
    salt = "0a" * 32
    many = [record(row) for row in range(1, MAX_DISPUTED + 2)]

    assert Particulars(salt=salt, words="w", records=many[:-1]).words == "w"
    for values in ({"records": many}, {"records": [record(1), record(1)]}, {"salt": "0a"}, {"words": ""}):
        with pytest.raises(ValueError, match="Particulars"):
            Particulars.model_validate({"salt": salt, "words": "w", "records": [], **values})
    assert len(Particulars(salt=salt, words="w", records=[record(1), record(1, "/do")]).records) == 2


@given(st.binary(max_size=300))
def test_bytes_from_the_other_side_are_read_or_refused(raw: bytes) -> None:
    """Whatever arrives as news, view or particulars, nothing but BadMessage comes of it."""
    for shape in (CorrectionNews, ObjectionView, Particulars):
        with pytest.raises(BadMessage):
            shape.parse(raw)
