"""The quarantine as a file: exported, mended in a spreadsheet, and offered again."""

import csv
from pathlib import Path

import orjson
import pytest

from contracts.messages import Text
from nodes.quarantine.files import ExportExists, MendingFileUnfit, resubmit_file, write_open
from nodes.quarantine.mending import withdraw
from nodes.quarantine.model import RowClosed, StillBroken
from tests.nodes.quarantine.rejecting import (
    CLERK,
    declare_own,
    mended,
    own_contract,
    reject,
    show,
    state,
)
from tests.nodes.sharing import DATASET, World, rows


def mend_csv(path: Path, changes: dict[int, dict[str, str]]) -> None:
    """Edit cells of an exported file, as a person in a spreadsheet does."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        line.update(changes.get(int(line["id"]), {}))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_a_file_goes_out_and_comes_back_mended(world: World, suffix: str, tmp_path: Path) -> None:
    """Every open row is in it with its reasons; mended, each is taken, and sent again none changes."""
    ids = reject(world, 3)
    path = tmp_path / f"open.{suffix}"
    assert write_open(world.provider, DATASET, path) == 3
    if suffix == "csv":
        mend_csv(path, {row: {"ph": str(record["ph"])} for row, record in zip(ids, mended(3), strict=True)})
    else:
        lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        assert "must be" in lines[0]["reasons"]
        for line, record in zip(lines, mended(3), strict=True):
            line["record"]["ph"] = record["ph"]
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))

    first = resubmit_file(world.provider, DATASET, path, CLERK)
    again = resubmit_file(world.provider, DATASET, path, CLERK)

    assert (first.mended, first.repeated, first.refused) == (3, 0, 0)
    assert (again.mended, again.repeated, again.refused) == (0, 3, 0)
    assert [show(world, row)["mended"] for row in ids] == mended(3)


def test_each_line_is_judged_by_itself(world: World, tmp_path: Path) -> None:
    """A bad line is named with its number, its id and why; the others are taken."""
    first, second, third = reject(world, 3)
    withdraw(world.provider, third, CLERK, "twice")
    path = tmp_path / "mended.ndjson"
    good, other = mended(2)
    lines = [
        {"id": first, "record": good},
        {"id": second, "record": {**other, "ph": 99}},
        {"id": third, "record": rows(1, first=50)[0]},
        {"id": 4711, "record": good},
        {"id": True, "record": good},
        {"record": good},
    ]
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines) + b"no json\n")

    outcome = resubmit_file(world.provider, DATASET, path, CLERK)

    assert (outcome.mended, outcome.refused) == (1, 6)
    said = [(one.line, one.row, one.error.code) for one in outcome.refusals]
    assert said == [
        (2, second, StillBroken.code),
        (3, third, RowClosed.code),
        (4, 4711, "no-such-row"),
        (5, None, "changes-unfit"),
        (6, None, "changes-unfit"),
        (7, None, "changes-unfit"),
    ]
    assert [state(world, row) for row in (first, second, third)] == ["resubmitted", "open", "withdrawn"]


@pytest.mark.parametrize("text", ["=1+1", "+86 10", "-x", "@sum", "'quoted", "\tlate"])
def test_a_cell_never_becomes_a_formula(world: World, tmp_path: Path, text: str) -> None:
    """A spreadsheet sees text, and reading gives back what the source had, sign for sign."""
    world.declare()
    world.publish([*rows(2), {**rows(1, first=3)[0], "local_time": text}])
    path = tmp_path / "open.csv"
    write_open(world.provider, DATASET, path)

    with path.open(encoding="utf-8-sig", newline="") as file:
        (line,) = csv.DictReader(file)
    outcome = resubmit_file(world.provider, DATASET, path, CLERK)

    assert line["local_time"] == f"'{text}"
    (refusal,) = outcome.refusals
    assert isinstance(refusal.error, StillBroken)


@pytest.mark.parametrize("name", ["open.xlsx", "open"])
def test_another_form_of_file_is_refused(world: World, tmp_path: Path, name: str) -> None:
    """Only CSV and NDJSON go out and come in."""
    reject(world)
    for act in (
        lambda: write_open(world.provider, DATASET, tmp_path / name),
        lambda: resubmit_file(world.provider, DATASET, tmp_path / name, CLERK),
    ):
        with pytest.raises(MendingFileUnfit):
            act()


def test_a_file_that_is_there_is_not_written_over(world: World, tmp_path: Path) -> None:
    """A clerk's half-mended file survives a second export."""
    reject(world)
    path = tmp_path / "open.csv"
    path.write_text("mine")

    with pytest.raises(ExportExists):
        write_open(world.provider, DATASET, path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    "raw",
    [b"ph,ph\n1,2\n", b"ph\n7\n", b"id\n1\n", b"", b'id,ph\n1,"7\n', b"\xff\xfe\x00"],
    ids=["twice", "no-id", "only-id", "empty", "open-quote", "no-text"],
)
def test_a_damaged_file_is_refused_whole(world: World, tmp_path: Path, raw: bytes) -> None:
    """A file whose columns cannot be told apart mends nothing."""
    (row,) = reject(world)
    path = tmp_path / "mended.csv"
    path.write_bytes(raw)

    with pytest.raises(MendingFileUnfit):
        resubmit_file(world.provider, DATASET, path, CLERK)
    assert state(world, row) == "open"


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_nobody_else_reads_an_export(world: World, tmp_path: Path, suffix: str) -> None:
    """Rows that were never published lie in a file of its owner's alone; a link leads nowhere else."""
    reject(world)
    path, elsewhere = tmp_path / f"open.{suffix}", tmp_path / "elsewhere"
    write_open(world.provider, DATASET, path)
    (tmp_path / f"link.{suffix}").symlink_to(elsewhere)

    with pytest.raises(ExportExists):
        write_open(world.provider, DATASET, tmp_path / f"link.{suffix}")

    assert path.stat().st_mode & 0o777 == 0o600
    assert not elsewhere.exists()


def test_names_of_a_partner_are_no_formulas_and_do_not_clash(world: World, tmp_path: Path) -> None:
    """A contract may call its fields what it likes: the file stays plain text, and comes back."""
    contract = own_contract()
    odd = {"id": {"type": ["string", "null"]}, "=1+1": {"type": ["string", "null"]}}
    record = {**contract.record, "properties": {**contract.record["properties"], **odd}}  # type: ignore[dict-item]  # a schema
    fields = [
        *contract.fields,
        *(
            contract.fields[0].model_copy(update={"name": name, "title": Text(zh="=A1", en="x")})
            for name in odd
        ),
    ]
    declare_own(world, own_contract(record=record, fields=fields))
    world.publish([*rows(2), {**rows(1, first=3)[0], "=1+1": 7, "id": "s-1"}])
    path = tmp_path / "open.csv"
    write_open(world.provider, DATASET, path)

    with path.open(encoding="utf-8-sig", newline="") as file:
        heads, line = csv.reader(file)
    outcome = resubmit_file(world.provider, DATASET, path, CLERK)

    assert (heads[0], heads[1], heads[-2], heads[-1]) == ("_id", "reasons", "id", "'=1+1")
    assert not any(cell.startswith(("=", "@")) for cell in [*heads, *line])
    assert (outcome.mended, outcome.refused) == (1, 0)
