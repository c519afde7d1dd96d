"""The 84 verdicts: none is a false "compatible", and each refusal shows a record that two engines judged."""

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # ships no types

from contracts.clock import parse_rfc3339
from contracts.compatibility.containment import Answer, contains
from contracts.errors import HeadwatersError
from tests.contracts.compatibility.corpus import CORPUS, Schema, changed, whole

VERDICTS = [
    pytest.param(wider, narrower, truth, id=f"{change.name} - {direction}")
    for change in CORPUS
    for direction, wider, narrower, truth in (
        ("backward", change.new, change.old, change.backward),
        ("forward", change.old, change.new, change.forward),
    )
]
FORMATS = FormatChecker(formats=["date", "uuid"])


@FORMATS.checks("date-time", raises=HeadwatersError)  # type: ignore[untyped-decorator]  # jsonschema ships no types
def _is_moment(value: object) -> bool:
    """Judge a moment, which jsonschema does only with a package that is not here."""
    return not isinstance(value, str) or parse_rfc3339(value) is not None


@pytest.mark.parametrize(("wider", "narrower", "truth"), VERDICTS)
def test_every_verdict_of_the_corpus_is_decided_and_true(
    wider: Schema, narrower: Schema, truth: bool
) -> None:
    """Containment is proved where it holds, or refuted by a record that a second engine judges alike."""
    found = contains(wider, narrower)

    assert found.answer is (Answer.PROVED if truth else Answer.REFUTED)
    if not truth:
        judges = [Draft202012Validator(side, format_checker=FORMATS) for side in (narrower, wider)]
        assert [judge.is_valid(found.witness) for judge in judges] == [True, False]


def test_the_corpus_is_what_the_figures_speak_of() -> None:
    """There are 42 changes, seven of them to the contract of 19 fields with three conditions."""
    large = [change for change in CORPUS if change.old == whole()]

    assert (len(CORPUS), len(VERDICTS), len(large)) == (42, 84, 7)
    assert (len(whole()["properties"]), len(whole()["required"]), len(whole()["allOf"])) == (19, 14, 3)


def test_a_witness_is_an_example_changed_as_little_as_will_do() -> None:
    """Given a record of the old version, only the field that the new one refuses differs from it."""
    example = {
        "record_id": "0123456789abcdef",
        "station": "SC510100",
        "observed_at": "2026-03-01T08:00:00+08:00",
        "medium": "water",
        "factor": "pH",
        "value": 7.2,
        "unit": "1",
        "method": "automatic",
        "flag": "N",
        "period": "hour",
        "edition": "2025",
        "decimals": 1,
        "quality": "raw",
        "location": {"province": "51", "admin_code": "510100", "longitude": 104, "latitude": 30},
    }
    found = contains(changed("a consequence tightened"), whole(), examples=[example])

    differing = {name for name in example if found.witness[name] != example[name]}
    assert found.witness.keys() == example.keys()
    assert differing == {"value"}
    assert 12 < found.witness["value"] <= 14
