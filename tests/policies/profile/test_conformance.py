"""OPA's own test cases, asked of the embedded engine: what lies inside the profile is answered as OPA does.

The cases come with OPA's source, in the cache of Go modules; they are read, not copied. A case is inside the
profile when its modules and its query are, by the very check that a bundle must pass; only the rules of the
house (packages, imports, data documents) are set aside: the cases bring packages and data of their own.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import regorus  # type: ignore[import-untyped]  # a native module without stubs
import yaml  # type: ignore[import-untyped]  # a library without stubs

from policies.profile.check import check_language
from policies.profile.limits import OutsideProfile, check_text
from policies.profile.syntax import read_modules
from tests.parts import missing, require

MODULE = "github.com/open-policy-agent/opa@v1.20.2"
LEAST_JUDGED = 550
LEAST_SHARE = 0.989

Case = dict[str, Any]  # OPA's own shape, as its YAML files have it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one case: outside, same, refused (an error where OPA has a value) or wrong."""

    note: str
    outcome: str


def cases() -> Iterator[Case]:
    """Read all cases for Rego v1."""
    go = require("go")
    cache = subprocess.run([str(go), "env", "GOMODCACHE"], capture_output=True, text=True, check=True)
    folder = Path(cache.stdout.strip()) / MODULE / "v1" / "test" / "cases" / "testdata" / "v1"
    if not folder.is_dir():
        missing("OPA's conformance cases", f"go mod download {MODULE}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted(folder.rglob("*.yaml")):
        yield from yaml.load(path.read_text(encoding="utf-8"), loader)["cases"]  # noqa: S506  # a safe loader


def inside(case: Case) -> bool:
    """Tell whether the profile would let the case's modules and its query in."""
    if "input_term" in case or "env" in case:  # an input that JSON cannot carry, or a process environment
        return False
    modules = {f"{number}.rego": text for number, text in enumerate(case.get("modules") or [])}
    modules["query.rego"] = f"package query\n\nasked if {{\n{case['query']}\n}}\n"
    engine = regorus.Engine()
    try:
        check_text({name: text.encode() for name, text in modules.items()})
        for name, text in modules.items():
            engine.add_policy(name, text)
        check_language(read_modules(engine.get_ast_as_json()))
    except (OutsideProfile, RuntimeError):
        return False
    return True


def ask(case: Case) -> list[Any] | None:
    """Give the bindings of the case's query in the interpreter; None for an error."""
    engine = regorus.Engine()
    try:
        for number, text in enumerate(case.get("modules") or []):
            engine.add_policy(f"{number}.rego", text)
        if case.get("data") is not None:
            engine.add_data_json(json.dumps(case["data"]))
        if "input" in case:
            engine.set_input_json(json.dumps(case["input"]))
        answer = json.loads(engine.eval_query_as_json(case["query"]))
    except RuntimeError:
        return None
    return [
        row.get("bindings", {})
        for row in answer.get("result", [])
        if all(expression["value"] is not False for expression in row["expressions"])
    ]


def judge(case: Case) -> Verdict:
    """Hold the interpreter's answer against the one that OPA's authors wrote down."""
    note = case["note"]
    if not inside(case):
        return Verdict(note, "outside")
    got = ask(case)
    if case.get("want_error") or case.get("want_error_code"):
        return Verdict(note, "same" if got is None else "wrong")
    if got is None:
        return Verdict(note, "refused")
    if "want_result" in case:
        in_any_order = bool(case.get("sort_bindings"))
        expected = _plain(case["want_result"], in_any_order=in_any_order)
        same = _sorted(_plain(got, in_any_order=in_any_order)) == _sorted(expected)
    else:
        same = bool(got) == bool(case.get("want_defined"))
    return Verdict(note, "same" if same else "wrong")


def _plain(value: Any, *, in_any_order: bool) -> Any:  # JSON of any shape
    match value:
        case list():
            items = [_plain(item, in_any_order=in_any_order) for item in value]
            return _sorted(items) if in_any_order else items
        case dict():
            return {key: _plain(item, in_any_order=in_any_order) for key, item in value.items()}
        case _:
            return value


def _sorted(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


@pytest.mark.real
def test_inside_the_profile_the_interpreter_answers_as_opa_does(
    record_property: Callable[[str, object], None],
) -> None:
    """At least 98.9 % of OPA's cases inside the profile give OPA's answer; none gives another one."""
    verdicts = [judge(case) for case in cases()]
    counts = Counter(verdict.outcome for verdict in verdicts)
    judged = len(verdicts) - counts["outside"]
    record_property("conformance", dict(counts))

    assert [verdict.note for verdict in verdicts if verdict.outcome == "wrong"] == []
    assert judged >= LEAST_JUDGED
    assert counts["same"] / judged >= LEAST_SHARE
