"""``headwaters policy test`` and ``policy compare``: what they print, and with what they exit."""

import json
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import typer

from exchange.cli.policy.bundling import bundle
from exchange.cli.policy.trying import OpaSilent, compare, policy_test
from policies.bundle import BundleTampered, seal, shipped_bundle
from policies.profile.limits import OutsideProfile
from policies.trying.golden import shipped_cases
from tests.opa_server import free_ports, opa_server

Json = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed copy of the shipped bundle, with its tests, that a test may change."""
    copy = tmp_path / "rego"
    shutil.copytree(Path(str(files("policies") / "rego")), copy)
    return copy


def printed(capsys: pytest.CaptureFixture[str]) -> Json:
    """Read the JSON that a command printed; a log line may stand before it, where nothing set the log up."""
    out = capsys.readouterr().out
    value: Json = json.loads(out[out.index("{\n") :])
    return value


def tried(capsys: pytest.CaptureFixture[str], path: Path | None = None, golden: Path | None = None) -> Json:
    """Run ``policy test --json``; give what it printed with the exit code in it."""
    with pytest.raises(typer.Exit) as stop:
        policy_test(path, golden, as_json=True)
    return {**printed(capsys), "exit": stop.value.exit_code}


def compared(capsys: pytest.CaptureFixture[str], url: str, path: Path | None = None, count: int = 20) -> Json:
    """Run ``policy compare --json``; give what it printed with the exit code in it."""
    with pytest.raises(typer.Exit) as stop:
        compare(url, path, cases=count, seed=9, as_json=True)
    return {**printed(capsys), "exit": stop.value.exit_code}


def edit(folder: Path, file: str, old: str, new: str) -> None:
    """Change a rule and seal the bundle again."""
    path = folder / "headwaters" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    seal(folder)


def test_the_shipped_policies_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """Without options the shipped bundle, its tests and the golden cases are judged, and hold."""
    report = tried(capsys)

    assert report["policy"] == shipped_bundle().digest
    assert report["golden"] == len(shipped_cases())
    assert report["tests"] > 100
    assert (report["failed"], report["failures"], report["exit"]) == (0, [], 0)


def test_a_rule_that_lets_more_in_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bundle with a laxer rule fails its own tests and the golden cases, each by name, with exit code 1."""
    edit(folder, "access.rego", 'input.participant.status == "active"', "input.participant.status != null")

    report = tried(capsys, folder)

    names = [failure["name"] for failure in report["failures"]]
    assert "access: consumer suspended" in names
    assert any(name.startswith("headwaters.") and ".test_" in name for name in names)
    assert (report["failed"], report["exit"]) == (len(names), 1)
    flip = next(one for one in report["failures"] if one["name"] == "access: consumer suspended")
    assert flip["why"] == "deny consumer-not-active → permit may-apply purpose-binding"


def test_a_failing_test_is_shown_to_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the failures stand in a table."""
    (folder / "tests" / "mine_test.rego").write_text(
        "package headwaters.mine_test\n\nimport rego.v1\n\ntest_never if false\n"
    )
    with pytest.raises(typer.Exit) as stop:
        policy_test(folder)

    assert stop.value.exit_code == 1
    assert "test_never" in capsys.readouterr().out


def test_golden_cases_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--golden takes another folder of cases in place of the shipped ones."""
    decision = {"outcome": "deny", "reasons": [], "obligations": [], "valid_until_ms": 0}
    question = shipped_cases()[0].question.document()
    text = json.dumps({"base": question, "cases": [{"name": "no", "decision": decision}]})
    (tmp_path / "mine.json").write_text(text)

    report = tried(capsys, golden=tmp_path)

    assert (report["golden"], report["failures"][0]["name"], report["exit"]) == (1, "mine: no", 1)


def test_a_bundle_that_is_unsealed_or_outside_the_profile_is_not_run(folder: Path) -> None:
    """Before any test runs, the bundle is verified and held against the profile."""
    (folder / "headwaters" / "more.rego").write_text(
        "package headwaters.more\n\nimport rego.v1\n\nx := 1 / 2\n"
    )
    with pytest.raises(BundleTampered):
        policy_test(folder)
    seal(folder)
    with pytest.raises(OutsideProfile):
        policy_test(folder)


def test_an_archive_brings_no_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An archive for OPA is judged by the golden cases alone."""
    bundle(tmp_path / "b.tar.gz")
    capsys.readouterr()

    report = tried(capsys, tmp_path / "b.tar.gz")

    assert (report["tests"], report["failed"], report["exit"]) == (0, 0, 0)


@pytest.mark.real
def test_a_plain_opa_with_our_bundle_is_no_different(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An OPA started by hand with ``--skip-verify --bundle FILE`` passes: no difference, exit code 0."""
    bundle(tmp_path / "b.tar.gz")
    capsys.readouterr()

    with opa_server(tmp_path / "b.tar.gz", options=["--skip-verify"]) as opa:
        report = compared(capsys, opa.url)

    assert (report["differences"], report["first_difference"], report["exit"]) == (0, None, 0)
    assert report["cases"] == len(shipped_cases()) + 20
    assert report["policy"] == report["opa_policy"] == shipped_bundle().digest


@pytest.mark.real
def test_an_opa_with_another_bundle_never_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another bundle is told as such: both digests, at least one difference, exit code 1."""
    edit(folder, "transfer.rego", "grant_limit := 32", "grant_limit := 33")

    with opa_server(folder) as opa:
        report = compared(capsys, opa.url)
        with pytest.raises(typer.Exit) as stop:
            compare(opa.url, cases=5)
        shown = capsys.readouterr().out
        alike = compared(capsys, opa.url, folder)

    assert report["policy"] != report["opa_policy"] == seal(folder)
    assert (report["cases"], report["differences"], report["exit"]) == (1, 1, 1)
    assert report["first_difference"]["right"]["reasons"][0]["code"] == "pdp:wrong-bundle"
    assert stop.value.exit_code == 1
    assert "OPA serves another bundle" in shown
    assert alike["opa_policy"] == alike["policy"]


@pytest.mark.real
def test_an_opa_whose_bundle_has_no_name_never_passes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same rules without a manifest, or no bundle at all, are not what was approved: exit code 75."""
    (folder / ".manifest").unlink()

    with opa_server(folder) as opa, pytest.raises(OpaSilent) as unnamed:
        compared(capsys, opa.url)
    with opa_server() as opa, pytest.raises(OpaSilent) as empty:
        compared(capsys, opa.url)

    assert (unnamed.value.exit_code, empty.value.exit_code) == (75, 75)


@pytest.mark.real
def test_people_read_that_all_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json a sentence says so in both languages."""
    bundle(tmp_path / "b.tar.gz")
    with opa_server(tmp_path / "b.tar.gz") as opa, pytest.raises(typer.Exit) as stop:
        compare(opa.url, cases=1)

    assert stop.value.exit_code == 0
    assert "every answer is the same" in capsys.readouterr().out


def test_no_opa_at_all_is_a_part_that_is_missing() -> None:
    """A port where nobody listens exits with 75, never with 0."""
    [port] = free_ports(1)
    words = ["policy", "compare", "--opa", f"http://127.0.0.1:{port}", "--json"]

    ran = subprocess.run(
        [sys.executable, "-m", "exchange.cli", *words], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 75
    assert ran.stdout == ""
    assert "opa-silent" in ran.stderr
