"""The tests that a policy brings, run by the embedded engine as ``opa test`` would run them.

A test is a rule named ``test_…`` in a package named ``…_test``; it passes when it is literally true for an
empty input. Tests may use more of Rego than policies (``with``, ``data``), but they cannot touch what they
judge: a file whose package is not a test package is refused.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import regorus  # type: ignore[import-untyped]  # a native module without stubs

from policies.bundle import Bundle
from policies.embedded import build_engine, first_lines, is_panic
from policies.profile.limits import OutsideProfile, check_text
from policies.profile.syntax import Module, read_modules

FOLDER = "tests"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One test: its full name, whether it passed, and what the engine said if it could not be run."""

    name: str
    passed: bool
    error: str = ""


def read_tests(folder: Path) -> dict[str, bytes]:
    """Read the Rego files of the tests beside a bundle's rules; none where there is no such folder."""
    return {path.name: path.read_bytes() for path in sorted((folder / FOLDER).glob("*.rego"))}


def run(bundle: Bundle, tests: Mapping[str, bytes]) -> list[Verdict]:
    """Run every test against the bundle; raise OutsideProfile for tests that cannot be taken.

    The bundle itself must have passed ``policies.embedded.check_bundle``.
    """
    check_text(tests)
    engine = build_engine(bundle)
    try:
        for path, raw in sorted(tests.items()):
            engine.add_policy(f"{FOLDER}/{path}", raw.decode())
        modules = read_modules(engine.get_ast_as_json())
    except RuntimeError as error:
        raise OutsideProfile(f"the tests do not load: {first_lines(error)}") from error
    brought = [module for module in modules if module.file.startswith(f"{FOLDER}/")]
    for module in brought:
        if not module.package.startswith("headwaters.") or not module.package.endswith("_test"):
            raise OutsideProfile(f"{module.file} is not in a package headwaters.…_test")
    return [_verdict(engine, name) for name in dict.fromkeys(_names(brought))]


def _names(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        yield from (rule.full_name for rule in module.rules if rule.name.startswith("test_"))


def _verdict(engine: regorus.Engine, name: str) -> Verdict:
    try:
        engine.set_input_json("{}")
        return Verdict(name, json.loads(engine.eval_rule_as_json(f"data.{name}")) is True)
    except RuntimeError as error:
        return Verdict(name, passed=False, error=first_lines(error))
    except BaseException as error:  # a Rust panic derives from it; anything else flies on
        if not is_panic(error):
            raise
        return Verdict(name, passed=False, error="the engine crashed")
