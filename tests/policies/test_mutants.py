"""The Rego tests notice every slip: no mutant of the policy passes them all."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import regorus  # type: ignore[import-untyped]  # a native module without stubs

from policies.bundle import shipped_bundle, shipped_folder
from policies.profile.syntax import read_modules
from policies.trying.rego_tests import read_tests
from tests.policies.mutants import Mutant, mutants_of

REGO = shipped_folder()


def mutants() -> list[Mutant]:
    """Make every mutant of every file of the shipped policy."""
    sources = sorted(shipped_bundle().sources.items())
    return [mutant for path, raw in sources for mutant in mutants_of(path, raw.decode())]


@cache
def engine_without(path: str) -> tuple[regorus.Engine, tuple[str, ...]]:
    """Load the tests and all files but one, and name the tests; those that speak of the file come first."""
    engine = regorus.Engine()
    for name, raw in sorted(shipped_bundle().sources.items()):
        if name != path:
            engine.add_policy(name, raw.decode())
    for name, raw in read_tests(REGO).items():
        engine.add_policy(name, raw.decode())
    room = Path(path).stem
    modules = [module for module in read_modules(engine.get_ast_as_json()) if "_test" in module.package]
    modules.sort(key=lambda module: (room not in module.package, module.package))
    rules = [rule.full_name for module in modules for rule in module.rules if rule.name.startswith("test_")]
    return engine, tuple(dict.fromkeys(rules))


def failures(path: str, text: str) -> Iterator[str]:
    """Name the tests that fail with one file of the policy replaced; a refusal to evaluate fails too."""
    base, names = engine_without(path)
    engine = base.clone()
    engine.add_policy(path, text)
    for name in names:
        engine.set_input_json("{}")
        try:
            passed = json.loads(engine.eval_rule_as_json(f"data.{name}")) is True
        except RuntimeError:
            passed = False
        if not passed:
            yield name


def test_the_policy_itself_fails_no_test() -> None:
    """What the mutants are measured by holds for the policy as it is."""
    path = "headwaters/main.rego"

    assert list(failures(path, shipped_bundle().sources[path].decode())) == []


@pytest.mark.parametrize("path", sorted(shipped_bundle().sources))
def test_every_mutant_is_noticed(path: str) -> None:
    """A denial, default, condition, alternative or number that is changed fails at least one Rego test."""
    survivors = [
        str(mutant)
        for mutant in mutants()
        if mutant.path == path and next(failures(path, mutant.text), None) is None
    ]

    assert survivors == []


def test_there_is_a_mutant_for_every_denial() -> None:
    """Each code that the policy can deny with was left out once, and there are mutants of every kind."""
    made = mutants()
    kinds = {mutant.kind.partition(" ")[0] for mutant in made}
    denials = [mutant.kind for mutant in made if mutant.kind.startswith("denial ")]

    assert kinds == {
        "denial", "default", "comparison", "alternative", "body", "statement", "member", "number", "operator",
    }  # fmt: skip
    assert len(denials) == len(set(denials)) == 32
    assert len(made) > 250
