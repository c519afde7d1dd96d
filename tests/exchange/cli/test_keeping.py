"""``received``, ``trace`` and ``dataset declare --terms``: what they ask, what they show, how they end."""

from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
from typer.testing import CliRunner

from contracts.errors import Conflict, HeadwatersError
from exchange.cli import keeping, main, sharing
from exchange.cli.app import app
from nodes.delivering.tracing import NotTraced

DELIVERY = {
    "grant": "g-222222222222",
    "recipient": "p-222222222222",
    "dataset": "river-buoy",
    "release": 1,
    "purpose": "flood-control",
    "view": "sha256:" + "1" * 64,
    "at": "2026-11-22T04:00:00.000Z",
}
ONE = {"participant": "p-222222222222", "name": {"zh": "四川", "en": "Sichuan"}}
OTHER = {"participant": "p-333333333333", "name": None}


class Asked:
    """Stands in for the process of a home; keeps what was asked, and gives the answer or the refusal."""

    calls: ClassVar[list[tuple[str, Any]]] = []
    answer: ClassVar[Any] = {}
    refusal: ClassVar[HeadwatersError | None] = None

    def __init__(self, _home: Path, _person: str | None) -> None:
        """Reach no process."""

    def get(self, path: str, query: Any = None) -> Any:
        """Note the request and answer."""
        return self.post(path, query)

    def post(self, path: str, body: Any = None) -> Any:
        """Note the request and answer."""
        Asked.calls.append((path, body))
        if Asked.refusal is not None:
            raise Asked.refusal
        return Asked.answer


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> type[Asked]:
    """Let the commands speak to nobody."""
    Asked.calls, Asked.answer, Asked.refusal = [], {}, None
    monkeypatch.setattr(keeping, "ControlClient", Asked)
    monkeypatch.setattr(sharing, "ControlClient", Asked)
    return Asked


@pytest.fixture
def leaked(tmp_path: Path) -> Path:
    """Give a file that turned up."""
    path = tmp_path / "leaked.parquet"
    path.write_bytes(b"PAR1")
    return path


def traced(by: str, same: str, *recipients: dict[str, Any]) -> dict[str, Any]:
    return {
        "by": by,
        "same": same,
        "token": None,
        "recipients": list(recipients),
        "deliveries": [DELIVERY],
    }


def test_trace_names_whom_a_file_was_given_to(leaked: Path) -> None:
    """Evidence, recipient and delivery stand in the answer for people; the JSON is the node's."""
    Asked.answer = traced("mark", "rows", ONE)
    shown = CliRunner().invoke(app, ["trace", str(leaked)])
    raw = CliRunner().invoke(app, ["trace", str(leaked), "--json"])

    assert Asked.calls[0] == ("/local/trace", {"path": str(leaked)})
    for word in ("the mark in the file", "written anew", "p-222222222222", "Sichuan", "g-222222222222"):
        assert word in shown.output
    assert "does not tell which" not in shown.output
    assert orjson.loads(raw.output) == Asked.answer


def test_trace_says_when_a_file_does_not_tell_which(leaked: Path) -> None:
    """Two that received the same are both named, and neither is picked."""
    Asked.answer = traced("rows", "rows", ONE, OTHER)
    shown = CliRunner().invoke(app, ["trace", str(leaked)])

    assert "p-333333333333" in shown.output
    assert "the file does not tell which" in shown.output


def test_trace_ends_undecided_where_nothing_speaks(leaked: Path) -> None:
    """Exit 2 is kept for what cannot be decided, though HTTP has no status for it; a refusal stays one."""
    refusal = Conflict("nothing speaks")
    vars(refusal)["code"] = NotTraced.code
    Asked.refusal = refusal
    undecided = CliRunner().invoke(app, ["trace", str(leaked)])
    Asked.refusal = Conflict("another")
    refused = CliRunner().invoke(app, ["trace", str(leaked)])

    assert isinstance(undecided.exception, NotTraced)
    assert undecided.exception.exit_code == 2
    assert type(refused.exception) is Conflict


def test_received_lists_and_purges() -> None:
    """Both ask the node; a dry run deletes nothing."""
    Asked.answer = {"received": [{"dataset": "river-buoy", "release": 1, "due": True}]}
    listed = CliRunner().invoke(app, ["received", "list", "--dataset", "river-buoy", "--json"])
    Asked.answer = {"grants": [], "files": [], "left": [], "dry_run": True}
    CliRunner().invoke(app, ["received", "purge", "--dry-run"])

    assert orjson.loads(listed.output)[0]["due"] is True
    assert Asked.calls == [
        ("/local/received", {"dataset": "river-buoy"}),
        ("/local/received/purge", {"dry_run": True}),
    ]


DECLARE = [
    *("dataset", "declare", "river-buoy", "--contract", "surface-water-buoy", "--title-zh", "浮标"),
    *("--title-en", "Buoy", "--place", "Brisbane", "--sharing", "conditional", "--basis", "law"),
]


def test_a_declaration_takes_its_terms_from_a_file(tmp_path: Path) -> None:
    """Conditions, duties and the opening for emergencies go as they were written."""
    terms = {"conditions": [{"weekdays": [1]}], "duties": [], "emergency": True}
    path = tmp_path / "terms.json"
    path.write_bytes(orjson.dumps(terms))

    done = CliRunner().invoke(app, [*DECLARE, "--terms", str(path), "--json"])

    assert done.exit_code == 0, done.output
    assert {name: Asked.calls[0][1][name] for name in terms} == terms


@pytest.mark.parametrize("text", ["{", "[]", '{"sharing": "unconditional"}'])
def test_terms_that_are_no_terms_are_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A file may set no other word of the record than those three."""
    path = tmp_path / "terms.json"
    path.write_text(text)
    monkeypatch.setattr("sys.argv", ["headwaters", *DECLARE, "--terms", str(path)])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 64
    assert Asked.calls == []
