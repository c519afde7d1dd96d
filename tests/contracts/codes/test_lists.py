"""Code lists are looked up in a named edition, and lead from one edition to the next."""

import csv
import gzip
from datetime import date
from io import StringIO
from pathlib import Path

import pytest

from contracts import codes
from contracts.codes import CodeList, NoSuchCodeList, code_list, crosswalk, editions, lists

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "codes"
PROVINCES = ("33", "50", "51", "52", "53", "54", "63")
real = pytest.mark.skipif(
    not DATA.exists(), reason="the sample data is not beside the project (../shared/data)"
)


def _rows(name: str) -> list[dict[str, str]]:
    raw = (DATA / name).read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    return list(csv.DictReader(StringIO(text)))


@pytest.mark.parametrize(("list_id", "edition"), lists())
def test_every_list_is_whole(list_id: str, edition: str) -> None:
    """It reads, has a source, both titles, a name for each code, and codes as long as its stem."""
    found = code_list(list_id, edition)

    assert (found.list_id, found.edition) == (list_id, edition)
    assert found.source
    assert found.title_zh != found.title_en
    assert found.codes
    assert all(code.zh for code in found.codes.values())
    assert all(found.stem in (None, len(code)) for code in found.keys)
    until = found.in_force_until
    assert until is None or found.in_force_from is None or found.in_force_from < until


@pytest.mark.parametrize(
    ("list_id", "edition"), [("gbt-2260", "1999"), ("gbt-2260", ""), ("nothing", "1"), ("../codes", "2023")]
)
def test_an_edition_that_is_not_here_is_refused(list_id: str, edition: str) -> None:
    """No edition stands in for another."""
    with pytest.raises(NoSuchCodeList):
        code_list(list_id, edition)


def test_a_code_is_looked_up_by_its_stem() -> None:
    """A street is known by its county, an industry by its section; other lists know whole codes only."""
    areas, sections = code_list("gbt-2260", "2023"), code_list("gbt-4754-section", "2017")

    assert areas.knows("510117")
    assert areas.knows("510117001203")
    assert not areas.knows("510124")
    assert not areas.knows("5101")
    assert sections.knows("C265")
    assert not sections.knows("U265")
    assert not code_list("hj-212-flag", "2017").knows("NN")


def test_a_code_leads_to_its_successors() -> None:
    """Renamed, merged and split counties are followed; what is unknown leads nowhere."""

    def step(code: str) -> tuple[str, ...]:
        return crosswalk("gbt-2260", "2013", "2023", code)

    assert step("510124") == ("510117",)
    assert step("330103") == ("330105",)
    assert step("330110") == ("330110", "330113")
    assert step("542121") == ("540302",)
    assert step("510107") == ("510107",)
    assert step("510107001") == ("510107001",)
    assert step("510124001") == ()
    assert step("999999") == ()


def test_no_code_leads_back_in_time() -> None:
    """A newer code is found in an older edition only where it stands there itself."""
    assert crosswalk("gbt-2260", "2023", "2013", "510117") == ()
    assert crosswalk("gbt-2260", "2023", "2013", "510107") == ("510107",)
    with pytest.raises(NoSuchCodeList):
        crosswalk("gbt-2260", "2013", "2030", "510107")


def test_every_code_of_2013_is_somewhere_in_2023() -> None:
    """Of the seven provinces no code of 2013 is lost, and each successor stands in the list of 2023."""
    old, new = code_list("gbt-2260", "2013"), code_list("gbt-2260", "2023")

    assert not [code for code in old.codes if not crosswalk("gbt-2260", "2013", "2023", code)]
    assert {code for others in old.became.values() for code in others} <= new.keys
    assert old.became.keys() <= old.keys


def test_editions_follow_one_another() -> None:
    """An edition ends where the next begins."""
    assert editions("hj-633-level") == ("2012", "2026")
    old, new = (code_list("hj-633-level", edition) for edition in editions("hj-633-level"))
    assert old.in_force_until == date(2026, 2, 28)
    assert new.in_force_from == date(2026, 3, 1)
    assert editions("nothing") == ()


@real
def test_the_divisions_are_those_of_the_public_list() -> None:
    """Codes and names of the seven provinces are those of the list of 2023; 651 of them are counties."""
    expected = {f"{row['code']}0000": row["name"] for row in _rows("admin_provinces_2023.csv")}
    expected |= {f"{row['code']}00": row["name"] for row in _rows("admin_cities_2023.csv")}
    expected |= {row["code"]: row["name"] for row in _rows("admin_areas_2023.csv")}
    expected = {code: name for code, name in expected.items() if code.startswith(PROVINCES)}
    held = code_list("gbt-2260", "2023")

    assert _names(held) == expected
    assert sum(not code.endswith("00") for code in held.keys) == 651


@real
def test_the_divisions_of_2013_are_those_of_the_standard() -> None:
    """Codes and names of the seven provinces are those of the revision of 2013."""
    expected = {
        row["code"]: row["name"]
        for row in _rows("gb2260_revisions.csv.gz")
        if row["revision"] == "2013" and row["code"].startswith(PROVINCES)
    }

    assert _names(code_list("gbt-2260", "2013")) == expected


@real
def test_every_street_is_known_by_its_county() -> None:
    """All 9,627 street codes of the seven provinces are known through their stems."""
    held = codes.code_list("gbt-2260", "2023")
    streets = [row["code"] for row in _rows("admin_streets_7provinces_2023.csv.gz")]

    assert len(streets) == 9627
    assert all(map(held.knows, streets))


@real
@pytest.mark.parametrize(
    ("list_id", "file", "key", "name"),
    [
        ("hj-212-flag", "hj212_2017_flags.csv", "flag", "meaning_zh"),
        ("hj-212-system", "hj212_2017_system_codes.csv", "st", "name_zh"),
        ("hj-212-command", "hj212_2017_commands.csv", "cn", "name_zh"),
    ],
)
def test_the_lists_of_hj_212_are_those_of_the_standard(list_id: str, file: str, key: str, name: str) -> None:
    """Codes and names are those that were typed out from the standard."""
    assert _names(code_list(list_id, "2017")) == {row[key]: row[name] for row in _rows(file)}


@real
def test_the_return_codes_of_hj_212_are_those_of_the_standard() -> None:
    """Request and execution return codes are those of the standard."""
    rows = _rows("hj212_2017_return_codes.csv")
    for table, list_id in (("QnRtn", "hj-212-request-return"), ("ExeRtn", "hj-212-execution-return")):
        expected = {row["code"]: row["meaning_zh"] for row in rows if row["table"] == table}
        assert _names(code_list(list_id, "2017")) == expected


def _names(held: CodeList) -> dict[str, str]:
    return {code.code: code.zh for code in held.codes.values()}
