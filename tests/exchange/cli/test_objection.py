"""``objection`` and ``publish --corrects``: what they ask, what they show, how they end."""

from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
from typer.testing import CliRunner

from exchange.cli import objection, sharing
from exchange.cli.app import app

LINE: dict[str, Any] = {
    "objection": "o-222222222222",
    "state": "open",
    "role": "provider",
    "dataset": "river-buoy",
    "release": 1,
    "fault": "wrong-value",
    "records": 1,
    "objector": "p-222222222222",
    "provider": "p-333333333333",
    "raised_at": "2026-12-21T04:00:00.000Z",
    "due_at": "2027-01-04T16:00:00.000Z",
    "overdue": False,
    "guessed_years": [2027],
    "correction": None,
    "closed_why": None,
    "sent": True,
}
WHOLE = LINE | {
    "words": "the probe was out of the water",
    "readable": True,
    "disputed": [
        {"row": 3, "pointer": "/ph", "found": "7.3", "expected": "8.1", "record": "x", "as_delivered": True}
    ],
    "steps": [
        {
            "number": 1,
            "step": "acknowledge",
            "by": "p-333333333333",
            "at": "2026-12-22T01:00:00.000Z",
            "words": None,
            "sent": True,
        }
    ],
    "recipients": [{"participant": "p-444444444444", "release": 1, "told_at": None, "received": False}],
}


class Asked:
    """Stands in for the process of a home; keeps what was asked."""

    calls: ClassVar[list[tuple[str, Any]]] = []
    answer: ClassVar[Any] = {}

    def __init__(self, _home: Path, _person: str | None) -> None:
        """Reach no process."""

    def get(self, path: str, query: Any = None) -> Any:
        """Note the request and answer."""
        return self.post(path, query)

    def post(self, path: str, body: Any = None) -> Any:
        """Note the request and answer."""
        Asked.calls.append((path, body))
        return Asked.answer

    def stream_ndjson(self, path: str, body: Any) -> list[dict[str, Any]]:
        """Note the request and answer with one line."""
        Asked.calls.append((path, body))
        return [{"result": {"release": 2}}]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> type[Asked]:
    """Let the commands speak to nobody."""
    Asked.calls, Asked.answer = [], dict(LINE)
    monkeypatch.setattr(objection, "ControlClient", Asked)
    monkeypatch.setattr(sharing, "ControlClient", Asked)
    return Asked


def run(*words: str) -> tuple[int, str]:
    """Run a command; give its exit code and what it shows, in one line."""
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, " ".join(result.output.split())


def test_records_are_written_in_short() -> None:
    """ROW, ROW:/FIELD and ROW:/FIELD=EXPECTED; what is expected is JSON, or becomes a JSON text."""
    code, _ = run(
        "objection", "open", "river-buoy", "--release", "1", "--fault", "wrong-value", "--words", "w",
        "--record", "3", "--record", "4:/ph", "--record", "5:/ph=8.1", "--record", "6:/wd=NW",
    )  # fmt: skip

    assert code == 0
    assert Asked.calls[0][1]["records"] == [
        {"row": 3, "pointer": ""},
        {"row": 4, "pointer": "/ph"},
        {"row": 5, "pointer": "/ph", "expected": "8.1"},
        {"row": 6, "pointer": "/wd", "expected": '"NW"'},
    ]


@pytest.mark.parametrize("record", ["", "0", "-1", "x:/ph", "3.5"])
def test_a_record_without_a_row_is_wrong_usage(record: str) -> None:
    """Rows count from 1; nothing is asked of the node."""
    result = CliRunner().invoke(
        app,
        ["objection", "open", "d1", "--release", "1", "--fault", "other", "--words", "w", "--record", record],
    )

    assert result.exit_code != 0
    assert Asked.calls == []


def test_the_list_names_years_that_are_guessed() -> None:
    """A term that was counted by weekends alone is said to be."""
    Asked.answer = {"objections": [LINE], "fresh": False}
    code, shown = run("objection", "list", "--state", "open")

    assert code == 0
    assert Asked.calls == [("/local/objections", {"state": "open"})]
    assert "2027" in shown
    assert "counted by weekends alone" in shown
    assert "the exchange does not answer" in shown


@pytest.mark.parametrize(("overdue", "words"), [(False, "2027-01-04"), (True, "2027-01-04 逾期 overdue")])
def test_the_term_is_shown_as_its_last_day(overdue: bool, words: str) -> None:
    """Midnight in UTC+8 ends the day before it; a term that has passed is said to have."""
    Asked.answer = LINE | {"overdue": overdue}
    shown = run("objection", "acknowledge", "o-222222222222")[1]

    assert words in shown
    assert ("overdue" in shown) is overdue


def test_one_is_shown_with_records_steps_and_reach() -> None:
    """A person sees what was received, what is expected, and how many recipients lack the correction."""
    Asked.answer = dict(WHOLE)
    code, shown = run("objection", "show", "o-222222222222")

    assert code == 0
    for words in ("the probe was out of the water", "7.3", "8.1", "acknowledge", "p-444444444444"):
        assert words in shown
    assert "1 earlier recipients do not hold the correction yet" in shown


def test_scripts_read_everything() -> None:
    """``--json`` gives the node's answer as it is."""
    Asked.answer = dict(WHOLE)
    result = CliRunner().invoke(app, ["objection", "show", "o-222222222222", "--json"])

    assert orjson.loads(result.output) == WHOLE


@pytest.mark.parametrize(
    ("step", "words"),
    [("acknowledge", None), ("verify", "w"), ("reject", "w"), ("withdraw", None), ("close", None)],
)
def test_each_step_is_asked_of_the_node(step: str, words: str | None) -> None:
    """Words go along where there are any."""
    code, _ = run("objection", step, "o-222222222222", *(["--words", words] if words else []))

    assert code == 0
    assert Asked.calls == [(f"/local/objections/o-222222222222/{step}", {"words": words})]


def test_a_rejection_has_reasons() -> None:
    """Without words the command does nothing."""
    code, _ = run("objection", "reject", "o-222222222222")

    assert code == 2
    assert Asked.calls == []


def test_reach_lists_the_earlier_recipients() -> None:
    """Of a correction without an objection, too."""
    Asked.answer = {"recipients": WHOLE["recipients"]}
    code, shown = run("objection", "reach", "river-buoy", "--release", "2")

    assert (code, Asked.calls[0][0]) == (0, "/local/datasets/river-buoy/releases/2/recipients")
    assert "p-444444444444" in shown


def test_a_correction_is_published(tmp_path: Path) -> None:
    """``--corrects`` and ``--objection`` travel with the file; an objection alone is wrong usage."""
    file = tmp_path / "mended.csv"
    file.write_text("a\n1\n")
    publish = ("publish", str(file), "--dataset", "river-buoy")
    done = run(*publish, "--corrects", "1", "--objection", "o-222222222222")
    alone = run(*publish, "--objection", "o-222222222222")

    assert done[0] == 0
    assert alone[0] != 0
    assert [(body["corrects"], body["objections"]) for _, body in Asked.calls] == [(1, ["o-222222222222"])]


def test_the_exchanges_people_see_every_term(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers whom by when; late answers are named."""
    monkeypatch.setattr(objection, "control", lambda home, person, _role: Asked(home, person))
    late = LINE | {"overdue": True, "answered_at": "2027-01-05T01:00:00.000Z"}
    Asked.answer = {"objections": [LINE | {"answered_at": None}, late]}
    code, shown = run("exchange", "objections")

    assert (code, Asked.calls) == (0, [("/operator/objections", None)])
    assert "2027-01-05 09:00:00" in shown
    assert "counted by weekends alone" in shown
    assert shown.count("逾期") == 1
