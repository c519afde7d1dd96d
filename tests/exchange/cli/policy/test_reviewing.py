"""``headwaters policy explain``, ``who-can`` and ``decisions`` on a served exchange."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts.canonical import canonical_bytes
from contracts.clock import FrozenClock
from contracts.errors import HeadwatersError, Refused, Usage
from exchange.cli.app import app
from exchange.home import init
from policies.decision import Question
from tests.exchange.policies.askers import as_node, question
from tests.exchange.test_serve import serving
from tests.exchange.trading import DATASET, START, Alliance, trade_in
from tests.policies.questions import DATASET as RECORD
from tests.policies.questions import PARTICIPANT, TRANSFER

SUSPENDED = replace(TRANSFER, participant=replace(PARTICIPANT, status="suspended"))
THEN = "--at=2026-03-03"


@dataclass(frozen=True)
class Served:
    """A home with one grant and one denial, and who was concerned."""

    home: Path
    consumer: str
    outsider: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Let a small alliance trade, refuse one question, and serve its home."""
    home = tmp_path_factory.mktemp("reviewing") / "exchange"
    init(home, origin="audit.example/review", public_url="http://127.0.0.1:8420", clock=FrozenClock(START))
    alliance = Alliance(home, FrozenClock(START))
    trade = trade_in(alliance)
    alliance.clock.advance(1)
    alliance.request(trade.consumer, trade.subscription)
    bank = alliance.join(sector="finance")
    alliance.clock.advance(1)
    as_node(alliance, bank).post("/access/v1/evaluation", question(bank.id, "apply"))
    alliance.close()
    with serving(home):
        yield Served(home, trade.consumer.id, bank.id)
    shutil.rmtree(home)


def run(*words: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, ["policy", *words], catch_exceptions=False)


def typed(served: Served, *words: str) -> Any:
    """Run a command and give the JSON that it prints."""
    result = run(*words, "--home", str(served.home), "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def shown(served: Served, *words: str) -> str:
    """Run a command and give what people read."""
    result = run(*words, "--home", str(served.home))
    assert result.exit_code == 0, result.output
    return result.stdout


def written(question: Question, to: Path) -> str:
    """Write a question's document into a file and name it."""
    to.write_bytes(canonical_bytes(question.document()))
    return str(to)


def test_decisions_are_listed(served: Served) -> None:
    """The newest come first, by participant and outcome, as JSON and as a table."""
    listed = typed(served, "decisions")
    denied = typed(served, "decisions", "--outcome", "deny", "--participant", served.outsider)
    table = shown(served, "decisions", "--dataset", DATASET, "--since", "2026-03-02")

    assert [one["outcome"] for one in listed] == ["deny", "permit", "permit"]
    assert [one["participant"] for one in denied] == [served.outsider]
    assert denied[0]["decision"] in table
    assert "sector-not-named" in table


def test_a_decision_is_explained_from_its_id(served: Served) -> None:
    """A refusal is told in both languages with the policy's line, the fact, and the lines that ran."""
    [denied] = typed(served, "decisions", "--outcome", "deny")

    told = typed(served, "explain", denied["decision"])
    read = shown(served, "explain", denied["decision"], "--lines")

    assert told["agrees"] is True
    assert [cause["code"] for cause in told["explanation"]["causes"]] == ["sector-not-named"]
    assert "The sector finance is not government" in read
    assert "不属于政府部门" in read
    assert "participant.sector = finance" in read
    assert "access.rego:" in read
    assert "✓" in read


def test_an_explanation_can_be_asked_again_from_its_file(served: Served, tmp_path: Path) -> None:
    """What ``explain --json`` writes is itself a question for ``--question``, with the same answer."""
    newest = typed(served, "decisions", "--outcome", "permit")[0]
    told = typed(served, "explain", newest["decision"])
    file = tmp_path / "told.json"
    file.write_text(json.dumps(told))

    again = json.loads(run("explain", "--question", str(file), "--json").stdout)

    assert again["explanation"]["causes"] == told["explanation"]["causes"]


def test_who_can_tells_both_who_receives_and_who_could_apply(served: Served) -> None:
    """Receiving stands on an agreement; applying is open to more; those who cannot are counted or listed."""
    told = typed(served, "who-can", DATASET, THEN)
    short, long = shown(served, "who-can", DATASET, THEN), shown(served, "who-can", DATASET, THEN, "--all")

    assert [row["participant"] for row in told["can_receive"]] == [served.consumer]
    assert {row["participant"]: row["outcome"] for row in told["could_apply"]} == {
        served.consumer: "permit",
        served.outsider: "deny",
    }
    assert "sector-not-named ×1" in short
    assert served.outsider not in short
    assert served.outsider in long


def test_who_can_supposes_what_it_is_told(served: Served) -> None:
    """Today the agreement of March is over; another purpose is not offered."""
    now = typed(served, "who-can", DATASET)
    other = typed(served, "who-can", DATASET, THEN, "--purpose", "curiosity")

    assert now["can_receive"] == []
    assert {row["reasons"][0]["code"] for row in other["could_apply"]} == {"purpose-not-offered"}


def test_an_operator_is_refused(served: Served) -> None:
    """Reviews are for auditors and administrators."""
    for words in (("decisions",), ("who-can", DATASET)):
        with pytest.raises(Refused) as refusal:
            run(*words, "--as", "operator", "--home", str(served.home))
        assert refusal.value.code == "wrong-role" or "operator" in refusal.value.detail


def test_a_question_is_explained_without_an_exchange(tmp_path: Path) -> None:
    """A question in a file is asked of the shipped policy on this machine; deeper rules on demand."""
    core = replace(SUSPENDED, dataset=replace(RECORD, classification=4))
    file = written(replace(core, participant=replace(PARTICIPANT, level="county")), tmp_path / "q.json")

    flat, deep = run("explain", "--question", file, "--depth", "0"), run("explain", "--question", file)

    assert "core-not-named" in flat.stdout
    assert "↳" not in flat.stdout
    assert "↳ fields.classification = 4" in deep.stdout


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("c-aaaaaaaaaaaa", "--question", "FILE"),
        ("c-aaaaaaaaaaaa", "--bundle", "FILE"),
    ],
)
def test_explain_wants_one_thing_to_explain(words: tuple[str, ...], tmp_path: Path) -> None:
    """A decision or a file, not both and not neither; a bundle only beside a file."""
    file = written(TRANSFER, tmp_path / "q.json")

    with pytest.raises(Usage):
        run("explain", *(file if word == "FILE" else word for word in words))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"v": 2}', b'{"question": 7}'])
def test_a_file_that_holds_no_question_is_refused(content: bytes, tmp_path: Path) -> None:
    """Malformed JSON and other documents are told as such."""
    file = tmp_path / "q.json"
    file.write_bytes(content)

    with pytest.raises(HeadwatersError):
        run("explain", "--question", str(file))
