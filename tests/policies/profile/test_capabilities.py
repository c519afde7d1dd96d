"""OPA itself, held to the profile by its capabilities file."""

import json
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from policies.bundle import shipped_folder
from policies.profile.capabilities import write
from tests.parts import require

FILE = Path(str(files("policies.profile") / "capabilities.json"))
RULES = shipped_folder() / "headwaters"


def check(*paths: Path) -> "subprocess.CompletedProcess[str]":
    """Run OPA's strict check under the capabilities of the profile."""
    command = [str(require("opa")), "check", "--strict", "--capabilities", str(FILE), *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.real
def test_the_file_is_what_opa_can_do_reduced_to_the_profile() -> None:
    """capabilities.json is made from this OPA's own list, and names every builtin of the profile."""
    listed = subprocess.run(
        [str(require("opa")), "capabilities", "--current"], capture_output=True, text=True, check=True
    )
    profile = json.loads((files("policies.profile") / "profile.json").read_bytes())

    builtins = json.loads(listed.stdout)["builtins"]
    known = {item["name"] for item in builtins if not item.get("deprecated")}
    assert FILE.read_text() == write(json.loads(listed.stdout))
    assert set(profile["reserved"]) == {name.split(".")[0] for name in known} - {"internal"}
    assert set(profile["builtins"]) <= {item["name"] for item in json.loads(FILE.read_text())["builtins"]}


@pytest.mark.real
def test_opa_takes_the_shipped_rules_under_it() -> None:
    """``opa check --strict --capabilities`` accepts the shipped policies."""
    ran = check(RULES)

    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.real
@pytest.mark.parametrize(
    "body",
    [
        'x := http.send({"method": "get", "url": "http://127.0.0.1"})',
        "x := time.now_ns()",
        "x := opa.runtime()",
        "x := numbers.range(1, input.n)",
        "x := 1 / 2",
        "x if walk(input, [_, 1])",
        'x if "a", "a" in {"a"}',
        "import future.keywords.not\n\nx if not { input.a }",
    ],
)
def test_opa_refuses_what_the_profile_refuses(tmp_path: Path, body: str) -> None:
    """A builtin or an operator outside the profile is unknown to OPA under the file."""
    more = tmp_path / "more.rego"
    more.write_text(f"package headwaters.more\n\nimport rego.v1\n\n{body}\n")

    assert check(RULES, more).returncode != 0
