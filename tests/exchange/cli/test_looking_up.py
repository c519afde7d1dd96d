"""``headwaters contract codes`` and ``units``: what a clerk looks up, and what a script reads."""

from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from contracts.codes import NoSuchCodeList
from contracts.errors import Usage
from contracts.units import UnitsDoNotConvert, UnitUnknown, ValueNotConvertible
from exchange.cli.app import app


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["contract", *words])


def read(*words: str) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return orjson.loads(result.stdout)


def test_all_code_lists_are_listed() -> None:
    """Each edition has a line of its own, with how many codes it holds and where they come from."""
    rows = {(row["list"], row["edition"]): row for row in read("codes")}

    assert rows["gbt-2260", "2023"]["codes"] == 732
    assert rows["hj-633-level", "2012"]["until"] == "2026-02-28"
    assert all(row["source"] for row in rows.values())


def test_a_list_is_shown_in_its_newest_edition() -> None:
    """Without an edition the newest is meant."""
    newest = {row["code"] for row in read("codes", "gbt-2260")}

    assert "510117" in newest
    assert "510124" not in newest
    assert "510124" in {row["code"] for row in read("codes", "gbt-2260", "--edition", "2013")}


def test_a_code_leads_to_what_became_of_it() -> None:
    """A code that went is shown with its successor; one that was split with both."""
    steps = [(row["edition"], row["code"]) for row in read("codes", "gbt-2260", "533421")]
    split = [(row["edition"], row["code"]) for row in read("codes", "gbt-2260", "330110")]

    assert steps == [("2013", "533421"), ("2023", "533401")]
    assert split == [("2013", "330110"), ("2023", "330110"), ("2023", "330113")]
    assert "香格里拉市" in run("codes", "gbt-2260", "533421").output


def test_a_factor_is_shown_with_its_unit() -> None:
    """The further columns of a list come with its codes."""
    (factor,) = read("codes", "hj-212-factor", "a34004")

    assert (factor["unit"], factor["number"]) == ("ng/m3", "N3.3")


@pytest.mark.parametrize("words", [("gbt-2260", "999999"), ("gbt-2260", "533421", "--edition", "2023")])
def test_an_unknown_code_is_said_to_be_unknown(words: tuple[str, ...]) -> None:
    """A code that no edition has, or not the one asked for, exits 1."""
    result = run("codes", *words)

    assert result.exit_code == 1
    assert "no edition that is held has this code" in result.output
    assert orjson.loads(run("codes", *words, "--json").stdout) == []


def test_a_value_is_converted() -> None:
    """A value converts exactly, whatever spelling its unit has."""
    assert read("units", "35200", "纳克/立方米", "ug/m3") == {
        "value": "35.200",
        "unit": "ug/m3",
        "exact": True,
    }
    assert read("units", "1", "m3/d", "L/s")["exact"] is False


def test_the_units_are_listed() -> None:
    """Each unit is listed with its quantity."""
    units = {row["symbol"]: row["quantity"] for row in read("units")}

    assert units["ug/m3"] == units["mg/L"] == "mass concentration"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("1", "ppb", "ug/m3"), UnitsDoNotConvert),
        (("1", "furlong", "m"), UnitUnknown),
        (("NaN", "g", "kg"), ValueNotConvertible),
        (("many", "g", "kg"), Usage),
        (("1", "g"), Usage),
    ],
)
def test_what_does_not_convert_is_refused(words: tuple[str, ...], error: type[Exception]) -> None:
    """Another quantity, no unit, no number and half a question are refused by name."""
    assert isinstance(run("units", *words).exception, error)


def test_a_list_that_is_not_held_is_refused() -> None:
    """Neither an unknown list nor an unknown edition is answered."""
    for words in (("nothing",), ("gbt-2260", "--edition", "1999")):
        assert isinstance(run("codes", *words).exception, NoSuchCodeList)
