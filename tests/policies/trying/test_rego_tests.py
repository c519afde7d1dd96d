"""The runner of the tests that policies bring: what passes, what fails, and what is refused."""

from pathlib import Path

import pytest

from policies.bundle import shipped_bundle, shipped_folder
from policies.profile.limits import OutsideProfile
from policies.trying.rego_tests import Verdict, read_tests, run

HEAD = "package headwaters.more_test\n\nimport rego.v1\n\n"


def one(body: str, package: str = HEAD) -> list[Verdict]:
    """Run one file of tests against the shipped policies."""
    return run(shipped_bundle(), {"more_test.rego": (package + body).encode()})


def test_the_shipped_tests_pass() -> None:
    """Every test beside the shipped policies passes in the embedded engine, and there are many."""
    verdicts = run(shipped_bundle(), read_tests(shipped_folder()))

    assert [verdict for verdict in verdicts if not verdict.passed] == []
    assert len(verdicts) > 50
    assert all("_test.test_" in verdict.name for verdict in verdicts)


@pytest.mark.parametrize(
    ("body", "passed"),
    [
        ("test_a if data.headwaters.main.answer.allow == false", True),
        ("test_a if data.headwaters.main.answer.allow", False),
        ("test_a := 1", False),
        ('test_a := "true"', False),
        ("test_a if input.nothing", False),
        ("test_a := false", False),
        ("test_a if every x in [1, 2] { x > 0 }", True),
    ],
)
def test_only_literal_truth_passes(body: str, passed: bool) -> None:
    """A test that is undefined, false or merely truthy has failed."""
    assert one(body) == [Verdict("headwaters.more_test.test_a", passed)]


def test_a_test_that_cannot_be_run_has_failed() -> None:
    """An error of evaluation is a failure with its words, and never ends the run."""
    verdicts = one('test_a if lower(1) == "a"\n\ntest_b := true\n\nhelp := true')

    assert [verdict.passed for verdict in verdicts] == [False, True]
    assert "lower" in verdicts[0].error
    assert "backtrace" not in verdicts[0].error


@pytest.mark.parametrize(
    "package",
    [
        "package headwaters.main\n\nimport rego.v1\n\n",
        "package headwaters.access\n\nimport rego.v1\n\n",
        "package elsewhere_test\n\nimport rego.v1\n\n",
        "package headwaters.more_test\n\nimport rego.v1\n\nx := \n\n",
        "package headwaters.more_test\n\nimport rego.v1\n\nx := " + "[" * 50,
    ],
)
def test_tests_cannot_touch_what_they_judge(package: str) -> None:
    """A file in another package than a test package, or one that does not parse, is refused."""
    with pytest.raises(OutsideProfile):
        one("test_a := true", package)


def test_a_folder_without_tests_has_none(tmp_path: Path) -> None:
    """A bundle that brings no tests is not an error of reading."""
    assert read_tests(tmp_path) == {}
