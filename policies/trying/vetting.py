"""Rules that somebody else wrote, tried in a process of their own before anything here trusts them.

A Rego evaluation cannot be interrupted, and one that asks for too much memory ends its process. So a proposed
bundle is checked, tested and replayed in a child that has no secrets in its environment, little memory and
little time; what it answers is counted, never acted on.
"""

import base64
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from contracts.canonical import Json
from contracts.errors import HeadwatersError, Invalid, TooMany
from policies.bundle import Bundle
from policies.decision import Question
from policies.embedded import EmbeddedEngine, check_bundle
from policies.trying.replay import replay

DEADLINE_SECONDS = 45.0
CPU_SECONDS = 120
MEMORY_BYTES = 2 * 1024**3
_DONE, _UNFIT = 0, 3
# So many children at once, each with all that memory; whoever only looks never keeps those out who decide.
_LOOKING, _DECIDING = threading.BoundedSemaphore(1), threading.BoundedSemaphore(2)


class BundleUnfit(Invalid):
    """The policy bundle failed a check or a test."""

    code = "bundle-unfit"
    title_zh = "策略包未通过检查或测试"
    next_zh = "按 faults 修改策略,用 headwaters policy test --bundle 目录 在本机重试。"
    next_en = "Mend the policy as the faults say; try it with headwaters policy test --bundle FOLDER."


class PolicyTrialsBusy(TooMany):
    """Other policies are being tried at this moment."""

    code = "policy-trials-busy"
    title_zh = "正在试算其他策略包"
    next_zh = "稍后重试。"
    next_en = "Try again in a minute."


@dataclass(frozen=True, slots=True)
class PastQuestion:
    """A question of the past: the decision that was made on it, and the question's canonical JSON."""

    name: str
    question: str


def vet(bundle: Bundle, tests: Mapping[str, str], deadline_seconds: float = DEADLINE_SECONDS) -> int:
    """Check a bundle and run the tests that came with it; give how many.

    Raises BundleUnfit or PolicyTrialsBusy.
    """
    request: Json = {"task": "check", "after": _files(bundle), "tests": dict(tests)}
    with _trial(_DECIDING):
        return int(_apart(request, deadline_seconds)["tests"])


def replay_apart(
    before: Bundle,
    after: Bundle,
    asked: Sequence[PastQuestion],
    deadline_seconds: float = DEADLINE_SECONDS,
    *,
    looking: bool = False,
) -> dict[str, Any]:
    """Replay questions under two bundles; give the report's document with how many could not be read.

    ``looking`` says that nothing hangs on it. Raises BundleUnfit or PolicyTrialsBusy. Any: the report is
    JSON, made by ``Replayed.document``.
    """
    request: Json = {
        "task": "replay",
        "before": _files(before),
        "after": _files(after),
        "asked": [[one.name, one.question] for one in asked],
    }
    with _trial(_LOOKING if looking else _DECIDING):
        return _apart(request, deadline_seconds)


def replay_here(before: Bundle, after: Bundle, asked: Sequence[PastQuestion]) -> dict[str, Json]:
    """Do as ``replay_apart`` does, in this process."""
    engines = EmbeddedEngine(before), EmbeddedEngine(after)
    report = replay(engines[0].decide_now, engines[1].decide_now, _readable(asked))
    for engine in engines:
        engine.close()
    return {**report.document(), "unreadable": len(asked) - report.asked}


def _readable(asked: Sequence[PastQuestion]) -> Iterator[tuple[str, Question]]:
    for one in asked:
        try:
            question = Question.read(orjson.loads(one.question))
        except Invalid:
            continue  # of another version: counted by its absence
        yield one.name, question


@contextmanager
def _trial(places: threading.BoundedSemaphore) -> Iterator[None]:
    if not places.acquire(blocking=False):
        raise PolicyTrialsBusy
    try:
        yield
    finally:
        places.release()


def _apart(request: Json, deadline_seconds: float) -> dict[str, Any]:  # Any: the child's JSON
    command = [sys.executable, "-I", "-m", "policies.trying.vetting"]
    try:
        child = subprocess.run(  # noqa: PLW1510  # the exit code is read below
            command, input=orjson.dumps(request), capture_output=True, timeout=deadline_seconds, env={}
        )
    except subprocess.TimeoutExpired as error:
        raise BundleUnfit(f"the policy took longer than {deadline_seconds:.0f} seconds") from error
    if child.returncode not in {_DONE, _UNFIT}:
        raise BundleUnfit(f"the policy ended the process that tried it, with {child.returncode}")
    answer: dict[str, Any] = orjson.loads(child.stdout)
    if child.returncode == _UNFIT:
        raise BundleUnfit(answer["detail"], faults=answer["faults"])
    return answer


def _files(bundle: Bundle) -> Json:
    return {path: base64.b64encode(raw).decode() for path, raw in sorted(bundle.files().items())}


# --- in the child -----------------------------------------------------------------------------------


def main() -> None:
    """Answer the one request on standard input; whatever else is written goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer, code = _answer(orjson.loads(sys.stdin.buffer.read())), _DONE
    except HeadwatersError as error:
        faults = error.facts.get("faults")
        answer, code = {"detail": error.detail, "faults": faults if isinstance(faults, list) else []}, _UNFIT
    with answers:
        answers.write(orjson.dumps(answer))
    raise SystemExit(code)


def _answer(request: dict[str, Any]) -> dict[str, Json]:  # Any: what the parent wrote
    after = _bundle(request["after"])
    check_bundle(after)
    if request["task"] == "check":
        return {"tests": _run_tests(after, request["tests"])}
    asked = [PastQuestion(name, question) for name, question in request["asked"]]
    return replay_here(_bundle(request["before"]), after, asked)


def _bundle(files: Mapping[str, str]) -> Bundle:
    return Bundle.from_files({path: base64.b64decode(text) for path, text in files.items()})


def _run_tests(bundle: Bundle, tests: Mapping[str, str]) -> int:
    if not tests:
        return 0
    from policies.trying.rego_tests import run  # noqa: PLC0415  # nothing but the child runs tests

    verdicts = run(bundle, {path: text.encode() for path, text in tests.items()})
    failed = sorted(verdict.name for verdict in verdicts if not verdict.passed)
    if failed:
        raise BundleUnfit(f"{len(failed)} of {len(verdicts)} tests fail: {failed[0]}", faults=failed[:20])
    return len(verdicts)


if __name__ == "__main__":
    main()
