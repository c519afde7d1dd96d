"""The Rego tests, run by the embedded engine and by OPA itself where it is; and mutants of the rules."""

import json
import re
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import regorus  # type: ignore[import-untyped]  # a native module without stubs

from policies.bundle import shipped_bundle
from policies.reasons import SENTENCES, UnknownReason, arguments, explain

REGO = Path(str(files("policies") / "rego"))
TESTS = sorted((REGO / "tests").glob("*.rego"))


def load(sources: dict[str, bytes]) -> regorus.Engine:
    """Load policies and their tests into one engine."""
    engine = regorus.Engine()
    for path, raw in sorted(sources.items()):
        engine.add_policy(path, raw.decode())
    for test in TESTS:
        engine.add_policy(test.name, test.read_text())
    return engine


def names() -> Iterator[str]:
    """Name every test rule, as ``headwaters.x_test.test_y``."""
    for test in TESTS:
        text = test.read_text()
        package = re.search(r"^package (\S+)", text, re.MULTILINE)
        assert package is not None
        yield from (
            f"{package[1]}.{name}" for name in re.findall(r"^(test_\w+) if", text, flags=re.MULTILINE)
        )


def failures(engine: regorus.Engine) -> Iterator[str]:
    """Name the tests that do not give literally true."""
    for name in names():
        engine.set_input_json("{}")
        if json.loads(engine.eval_rule_as_json(f"data.{name}")) is not True:
            yield name


def test_the_rego_tests_pass_in_the_embedded_engine() -> None:
    """Every test rule of policies/rego/tests gives true."""
    assert list(failures(load(dict(shipped_bundle().sources)))) == []
    assert len(list(names())) > 50


def mutants() -> list[tuple[str, str, str]]:
    """Make one mutant for each denial that is left out and each default that is turned round."""
    made: list[tuple[str, str, str]] = []
    for path, raw in shipped_bundle().sources.items():
        denials = re.findall(r"^den(?:y|ials) contains \{.* if not \w+$", raw.decode(), flags=re.MULTILINE)
        defaults = re.findall(r"^default \w+ := false$", raw.decode(), flags=re.MULTILINE)
        made += [(path, rule, "") for rule in denials]
        made += [(path, rule, rule.replace("false", "true")) for rule in defaults]
    return made


@pytest.mark.parametrize(("path", "old", "new"), mutants(), ids=lambda value: value[:60])
def test_every_mutant_of_the_policy_is_caught(path: str, old: str, new: str) -> None:
    """A denial that is dropped, or a condition that holds by default, fails at least one Rego test."""
    sources = dict(shipped_bundle().sources)
    mutated = sources[path].decode().replace(old, new, 1)
    assert mutated.encode() != sources[path]

    assert next(failures(load({**sources, path: mutated.encode()})), None) is not None


def test_every_code_of_the_policy_has_its_sentences() -> None:
    """Each code in the Rego stands in the table in both languages, with the arguments it comes with."""
    text = "\n".join(raw.decode() for raw in shipped_bundle().sources.values())
    found = re.findall(r'\{"code": "([a-z-]+)", "args": \{([^}]*)\}\}', text)

    assert len(found) == text.count('"code":')
    for code, args in found:
        assert arguments(code) == set(re.findall(r'"(\w+)":', args)), code
    emitted = {code for code, _ in found}
    assert {code for code in SENTENCES if not code.startswith("pdp:")} == emitted


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
    from tests.parts import require

    opa = require("opa")

    ran = subprocess.run(
        [str(opa), *command, str(REGO / "headwaters"), str(REGO / "tests")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
