"""``headwaters quarantine``: what a clerk types, what the node is asked, what the clerk reads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from contracts.errors import Usage
from exchange.cli import quarantine
from exchange.cli.app import app
from nodes.control import ControlClient
from tests.nodes.flows.test_local_routes import Person
from tests.nodes.quarantine.rejecting import mended, reject
from tests.nodes.sharing import DATASET, World, exchange, joined, world

__all__ = ["exchange", "joined", "world"]


@pytest.fixture
def rejected(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Let the commands speak to a node in this process that has three rows in quarantine."""
    person = Person(world, world.provider)

    class InProcess(ControlClient):
        @contextmanager
        def _open(self, *, stream: bool = False) -> Iterator[httpx.Client]:  # noqa: ARG002
            yield person.client

    monkeypatch.setattr(quarantine, "ControlClient", InProcess)
    with person.client:
        yield reject(world, 3)


def typed(*words: str, code: int = 0) -> Any:
    """Run a command and give the JSON that it prints."""
    result = CliRunner().invoke(app, ["quarantine", *words, "--json"], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return orjson.loads(result.stdout)


def shown(*words: str) -> str:
    """Run a command as a person does and give what it prints."""
    result = CliRunner().invoke(app, ["quarantine", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_clerk_mends_one_row_and_publishes_it(rejected: list[int]) -> None:
    """List, set a field, look at the standing, release: four commands from a bad row to a published one."""
    row = str(rejected[0])
    assert [line["id"] for line in typed("list", "--state=open")] == rejected
    assert typed("resubmit", row, "--set=ph=7.4", "--set=temperature=19")["state"] == "resubmitted"
    assert typed("status", f"--dataset={DATASET}")[0]["resubmitted"] == 1
    assert typed("release", DATASET)["accepted"] == 1

    record = typed("show", row)
    assert (record["state"], record["mended"]["ph"], record["mended"]["temperature"]) == ("accepted", 7.4, 19)


def test_a_value_that_is_no_json_is_text(rejected: list[int], world: World) -> None:
    """A clerk need not know how to quote: ``local_time=2023-08-01T00:00`` is a text."""
    typed("resubmit", str(rejected[0]), "--set=ph=7", "--set=local_time=2023-08-01T00:00")

    assert typed("show", str(rejected[0]))["mended"]["local_time"] == "2023-08-01T00:00"


def test_a_whole_record_comes_from_a_file(rejected: list[int], tmp_path: Path) -> None:
    """The file holds one JSON object."""
    path = tmp_path / "record.json"
    path.write_bytes(orjson.dumps(mended()[0]))

    assert typed("resubmit", str(rejected[0]), f"--record={path}")["repeated"] is False
    assert typed("resubmit", str(rejected[0]), f"--record={path}")["repeated"] is True


def test_an_exported_file_comes_back(rejected: list[int], tmp_path: Path) -> None:
    """Exit code 1 says that a line was refused; the table names line, row and reason."""
    path = tmp_path / "open.ndjson"
    assert typed("export", DATASET, f"--to={path}")["rows"] == 3
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    for line, record in zip(lines, [*mended(2), {"ph": 99}], strict=True):
        line["record"] |= record
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))

    result = typed("resubmit", f"--file={path}", f"--dataset={DATASET}", code=1)

    assert (result["mended"], result["refused"]) == (2, 1)
    again = CliRunner().invoke(app, ["quarantine", "resubmit", f"--file={path}", f"--dataset={DATASET}"])
    assert again.exit_code == 1
    assert "重复 repeated" in again.stdout
    assert "不得大于 14" in again.stdout


def test_a_row_is_withdrawn(rejected: list[int]) -> None:
    """With a reason, for good, and people read it in Chinese first."""
    assert "已撤回" in shown("withdraw", str(rejected[0]), "--why=传感器离水")
    assert "已撤回" in shown("status")


@pytest.mark.parametrize(
    "words",
    [
        ("resubmit",),
        ("resubmit", "1"),
        ("resubmit", "1", "--set=ph"),
        ("resubmit", "1", "--set==7"),
        ("resubmit", "1", "--set=ph=7", "--record={file}"),
        ("resubmit", "1", "--file={file}", "--dataset=d"),
        ("resubmit", "--file={file}"),
        ("resubmit", "1", "--record={file}"),
    ],
)
def test_what_cannot_be_meant_is_refused(rejected: list[int], tmp_path: Path, words: tuple[str, ...]) -> None:
    """A row with --set or --record, or a file with its dataset; a change is field=value; a record is JSON."""
    file = tmp_path / "record.json"
    file.write_text("no json")
    arguments: Mapping[str, str] = {"file": str(file)}

    with pytest.raises(Usage):
        CliRunner().invoke(
            app, ["quarantine", *(word.format_map(arguments) for word in words)], catch_exceptions=False
        )
