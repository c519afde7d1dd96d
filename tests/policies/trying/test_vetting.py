"""A bundle that somebody else wrote is tried in a process of its own, with little time, memory and trust."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from contracts.canonical import canonical_bytes
from policies.bundle import Bundle, shipped_bundle, shipped_folder
from policies.trying import vetting
from policies.trying.vetting import (
    BundleUnfit,
    PastQuestion,
    PolicyTrialsBusy,
    replay_apart,
    replay_here,
    vet,
)
from tests.policies.questions import APPLY, TRANSFER

TESTS = shipped_folder() / "tests"


def _asked() -> list[PastQuestion]:
    return [
        PastQuestion(f"c-{one.action}", canonical_bytes(one.document()).decode()) for one in (APPLY, TRANSFER)
    ]


def test_the_shipped_bundle_passes_with_its_tests() -> None:
    """What is shipped passes what a stranger's bundle must pass."""
    tests = {path.name: path.read_text() for path in TESTS.glob("*.rego")}

    assert vet(shipped_bundle(), tests) > 50
    assert vet(shipped_bundle(), {}) == 0


@pytest.mark.parametrize(
    "text",
    [
        "package headwaters.main\n",
        "this is no Rego",
        "package headwaters.main\nimport rego.v1\nx := http.send({})\n",
    ],
)
def test_a_bundle_that_does_not_hold_is_refused(text: str) -> None:
    """What does not refuse, does not parse or leaves the profile is unfit, with the reason."""
    with pytest.raises(BundleUnfit) as refusal:
        vet(Bundle({"headwaters/main.rego": text.encode()}), {})
    assert refusal.value.detail


def test_tests_cannot_change_what_they_judge() -> None:
    """A test file that adds to the rules is refused, so that it cannot make them look better."""
    sly = 'package headwaters.main\n\nimport rego.v1\n\nanswer := {"allow": false}\n'

    with pytest.raises(BundleUnfit):
        vet(shipped_bundle(), {"main_test.rego": sly})


def test_few_are_tried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trial takes a process and its memory: two that an act hangs on, one to look at, and no more."""
    monkeypatch.setattr(vetting, "_apart", lambda *_: {"tests": 0, "asked": 0})
    same = (shipped_bundle(), shipped_bundle(), ())

    with ExitStack() as others:
        for _ in range(2):
            others.enter_context(vetting._trial(vetting._DECIDING))
        with pytest.raises(PolicyTrialsBusy):
            vet(shipped_bundle(), {})
        with pytest.raises(PolicyTrialsBusy):
            replay_apart(*same)
        assert replay_apart(*same, looking=True)["asked"] == 0
        others.enter_context(vetting._trial(vetting._LOOKING))
        with pytest.raises(PolicyTrialsBusy):
            replay_apart(*same, looking=True)
    assert vet(shipped_bundle(), {}) == 0


def test_a_replay_apart_is_a_replay() -> None:
    """The child gives what this process would have given."""
    apart = replay_apart(shipped_bundle(), shipped_bundle(), _asked())

    assert apart == replay_here(shipped_bundle(), shipped_bundle(), _asked())
    assert (apart["asked"], apart["same"], apart["widens"], apart["unreadable"]) == (2, 2, False, 0)


def test_questions_of_another_version_are_counted_and_skipped() -> None:
    """A question that this version cannot read is no reason to stop, and no answer either."""
    strange = [PastQuestion("c-1", '{"v":1}'), PastQuestion("c-2", "{}"), *_asked()]
    report = replay_here(shipped_bundle(), shipped_bundle(), strange)

    assert (report["asked"], report["unreadable"]) == (2, 2)


def test_a_bundle_that_takes_too_long_is_ended() -> None:
    """Whatever a policy does, its process ends at the deadline."""
    with pytest.raises(BundleUnfit, match="longer than"):
        vet(shipped_bundle(), {}, deadline_seconds=0.01)


def test_the_child_knows_nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The child gets no environment, neither secrets nor search paths, and cannot be led to other code."""
    (tmp_path / "policies" / "trying").mkdir(parents=True)
    (tmp_path / "policies" / "trying" / "vetting.py").write_text("raise SystemExit(0)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("HEADWATERS_POLICY_TOKEN", "secret")
    seen: dict[str, object] = {}
    run = subprocess.run

    def watched(*args: Any, **kwargs: Any) -> Any:  # Any: as it was called
        seen.update(kwargs)
        return run(*args, **kwargs)

    monkeypatch.setattr(subprocess, "run", watched)

    assert vet(shipped_bundle(), {}) == 0
    assert seen["env"] == {}


def test_a_child_that_dies_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that ends its process, as one does that takes all memory, is unfit and ends nothing else."""
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(BundleUnfit, match="ended the process"):
        vet(shipped_bundle(), {})
