"""The Rego tests, run by the embedded engine and by OPA itself where it is; codes and their sentences."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from policies.bundle import shipped_bundle, shipped_folder
from policies.reasons import SENTENCES, UnknownReason, arguments, explain
from policies.trying.rego_tests import read_tests, run
from tests.parts import require

REGO = shipped_folder()


def test_the_rego_tests_pass_in_the_embedded_engine() -> None:
    """Every test rule of policies/rego/tests gives true."""
    verdicts = run(shipped_bundle(), read_tests(REGO))

    assert [verdict for verdict in verdicts if not verdict.passed] == []
    assert len(verdicts) > 190


GROUNDS = {"agreement-in-force", "may-apply", "emergency-declared"}


def codes() -> dict[str, set[str]]:
    """Read from the policy which codes it gives, with the arguments that each comes with."""
    text = "\n".join(raw.decode() for raw in shipped_bundle().sources.values())
    entries = re.findall(r'^(?:clears := \{|\t)"([a-z0-9-]+)": (?:\[|array)', text, flags=re.MULTILINE)
    words = re.findall(r'^\t"([a-z0-9-]+)": \{(".*)\},$', text, flags=re.MULTILINE)
    grounds = re.findall(r'\{"code": "([a-z-]+)", "args": \{([^}]*)\}\}', text)
    found = {code: set[str]() for code in [*entries, "action-unknown"]}
    return found | {code: set(re.findall(r'"(\w+)": ', args)) for code, args in [*words, *grounds]}


def test_every_code_of_the_policy_has_its_sentences() -> None:
    """Each code in the Rego stands in the table in both languages, with the arguments it comes with."""
    found = codes()

    assert {code: arguments(code) for code in found} == found
    assert {code for code in SENTENCES if not code.startswith("pdp:")} == found.keys()


def test_every_code_stands_in_the_docs() -> None:
    """The page of the rules names every code that the policy gives, and no other."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "policy-rules.md").read_text()
    first = [
        line.split("|")[1] for line in page.split("## Classes")[0].splitlines() if line.startswith("| `")
    ]
    named = set(re.findall(r"`([a-z0-9-]+)`", "".join(first)))

    assert named == codes().keys() - GROUNDS
    assert all(f"`{ground}`" in page for ground in GROUNDS)


def test_every_denial_is_hit_alone_and_nearly_missed() -> None:
    """For each code there is a Rego test that it alone denies, and one that is permitted beside it."""
    text = "\n".join(raw.decode() for raw in read_tests(REGO).values())
    alone = set(re.findall(r'== \{"([a-z0-9-]+)"\}', text))
    hits = re.findall(r"^test_(\w+)_is_denied if (.*?)(?=^\S)", text, flags=re.MULTILINE | re.DOTALL)
    permitted = set(re.findall(r"^test_(\w+)_near_miss_is_permitted", text, flags=re.MULTILINE))
    nearly = {
        code for name, body in hits if name in permitted for code in re.findall(r'"([a-z0-9-]+)"', body)
    }

    assert codes().keys() - GROUNDS - alone == set()
    assert codes().keys() - GROUNDS - nearly == set()


def test_both_languages_name_the_same_arguments() -> None:
    """The Chinese and the English sentence are filled from the same facts."""
    for code, (zh, en) in SENTENCES.items():
        assert set(re.findall(r"\{(\w+)\}", zh)) == set(re.findall(r"\{(\w+)\}", en)), code
        assert re.search(r"[\u4e00-\u9fff]", zh), code
        assert en.isascii(), code


@pytest.mark.parametrize(
    ("code", "args"), [("no-such-code", {}), ("receipt-owed", {}), ("may-apply", {"x": 1})]
)
def test_a_reason_off_the_list_is_refused(code: str, args: dict[str, int | str]) -> None:
    """An unknown code, or arguments that its sentence does not have, make no reason."""
    with pytest.raises(UnknownReason):
        explain(code, args)


@pytest.mark.real
@pytest.mark.parametrize("command", [["check", "--strict"], ["test"], ["fmt", "--fail", "--list"]])
def test_opa_itself_agrees(command: list[str]) -> None:
    """The reference engine finds the policies strict, formatted, and passing the same tests."""
    ran = opa(*command)

    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.real
def test_the_rego_tests_cover_every_file() -> None:
    """At least 95 % of the lines of each policy file are evaluated by the tests, as OPA counts them."""
    covered = json.loads(opa("test", "--coverage").stdout)["files"]
    policies = {path: part.get("coverage", 0) for path, part in covered.items() if "/tests/" not in path}

    assert len(policies) == len(shipped_bundle().sources)
    assert {path: share for path, share in policies.items() if share < 95} == {}


def opa(*command: str) -> subprocess.CompletedProcess[str]:
    """Run OPA's own command line over the policies and their tests."""
    return subprocess.run(
        [str(require("opa")), *command, str(REGO / "headwaters"), str(REGO / "tests")],
        capture_output=True,
        text=True,
        check=False,
    )
