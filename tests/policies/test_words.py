"""Obligations in words, for people, and what they hide."""

from typing import get_args

import pytest

from contracts.messages import (
    AggregateOnly,
    CompoundFilter,
    Expiry,
    FieldFilter,
    Mask,
    MaskGeneralise,
    MaskGeoGrid,
    MaskHash,
    MaskNull,
    MaskRound,
    MaskTruncate,
    Measure,
    Obligation,
    ObligationKind,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
)
from policies.words import MAX_WORDS, Hidden, hidden_by, say_filter, say_obligation

ROWS = CompoundFilter(
    operator="and",
    value=[
        FieldFilter(operator="in", field="county", value=["510101"]),
        CompoundFilter(operator="not", value=[FieldFilter(operator="gte", field="pm25", value=500)]),
        CompoundFilter(
            operator="or",
            value=[
                FieldFilter(operator="eq", field="checked", value=True),
                FieldFilter(operator="eq", field="note", value=None),
            ],
        ),
    ],
)
SAID: list[tuple[Obligation, str]] = [
    (Redact(fields=["operator", "运维单位"]), "drop the fields operator, 运维单位"),
    (Mask(field="a", how=MaskNull()), "mask the field a: emptied"),
    (Mask(field="a", how=MaskHash()), "mask the field a: keyed hash"),
    (Mask(field="a", how=MaskRound(digits=-2)), "mask the field a: rounded to 10^2"),
    (Mask(field="a", how=MaskTruncate(characters=3)), "mask the field a: first 3 characters kept"),
    (Mask(field="a", how=MaskGeneralise(to="city")), "mask the field a: generalised to the city"),
    (
        Mask(field="a", how=MaskGeoGrid(cell_millidegrees=10)),
        "mask the field a: moved to the centre of a 0.01° cell",
    ),
    (
        RowFilter(rows=ROWS),
        'only rows for which (county ∈ {"510101"} ∧ ¬(pm25 ≥ 500) ∧ (checked = true ∨ note = null))',
    ),
    (
        AggregateOnly(by=["county"], measures=[Measure(field="pm25", function="mean")], min_group=5),
        "only figures by county, of groups with at least 5 rows",
    ),
    (Quota(unit="rows", limit=10, window_seconds=86400), "at most 10 rows within 1 d"),
    (Rate(fetches=3, window_seconds=90), "at most 3 fetches within 90 s"),
    (Watermark(recipient="p-aaaaaaaaaaaa"), "watermark that names the recipient p-aaaaaaaaaaaa"),
    (PurposeBinding(purpose="credit"), "for the purpose credit only, not to be passed on"),
    (Expiry(days=365), "delete within 365 days of delivery"),
]


@pytest.mark.parametrize(("obligation", "said"), SAID)
def test_every_obligation_has_words_in_both_languages(obligation: Obligation, said: str) -> None:
    """Each kind, and each way to mask, is said in English and in Chinese."""
    words = say_obligation(obligation)

    assert words.en == said
    assert any("\u4e00" <= sign <= "\u9fff" for sign in words.zh)


def test_no_kind_is_without_words() -> None:
    """The table above holds the whole vocabulary."""
    assert {obligation.kind for obligation, _ in SAID} == set(get_args(ObligationKind))


def test_long_words_are_cut() -> None:
    """A list of hundreds of fields stays one sentence."""
    said = say_obligation(Redact(fields=[f"field_{number}" for number in range(500)]))

    assert len(said.en) == MAX_WORDS
    assert said.en.endswith("…")


def test_what_obligations_hide_is_summed_up() -> None:
    """Dropped and changed fields, filtered rows and withheld records are told; what binds hides nothing."""
    hidden = hidden_by(tuple(obligation for obligation, _ in SAID[:2] + SAID[7:]))

    assert hidden == Hidden(("operator", "运维单位"), ("a:null",), say_filter(ROWS), aggregate_only=True)
    assert hidden_by((Expiry(days=1), Watermark())) == Hidden()
