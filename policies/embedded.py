"""Rego inside this process, evaluated by the regorus interpreter (never by its RVM, which decides wrongly).

A regorus engine belongs to the thread that made it, so each thread has its own; facts travel in the question
and no data document is ever loaded. An evaluation cannot be interrupted and holds the GIL: policies stay
inside the profile, which has no recursion and no unbounded loop, and a slow answer is logged.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import regorus  # type: ignore[import-untyped]  # a native module without stubs
import structlog

from contracts.clock import monotonic_seconds
from contracts.errors import Unavailable
from policies.bundle import Bundle, read_bundle, shipped_bundle
from policies.decision import Decision, Question
from policies.engine import EngineOptions
from policies.guard import Seal, Undecided, ask, incoming, indeterminate
from policies.profile.check import check_profile
from policies.profile.limits import OutsideProfile, check_text

DISTRIBUTION = "gordon-to-regorus"
VERSION = "0.13.0"
ENTRY_POINT = "data.headwaters.main.answer"
SLOW_SECONDS = 0.050

ENGINES_PER_THREAD = 4

log = structlog.get_logger(__name__)


class _ThreadEngines(threading.local):
    """The engines of one thread by bundle digest, newest last; dropped by their own thread when it ends.

    Module-wide on purpose: an engine that is dropped by another thread (as a member of a shared object
    would be) makes PyO3 complain and leaks.
    """

    def __init__(self) -> None:
        self.by_digest: dict[str, regorus.Engine] = {}

    def get(self, bundle: Bundle, digest: str) -> regorus.Engine:
        if digest not in self.by_digest:
            while len(self.by_digest) >= ENGINES_PER_THREAD:
                del self.by_digest[next(iter(self.by_digest))]
            self.by_digest[digest] = build_engine(bundle)
        return self.by_digest[digest]

    def drop(self, digest: str) -> None:
        self.by_digest.pop(digest, None)


_ENGINES = _ThreadEngines()


class EngineUnfit(Unavailable):
    """The installed Rego engine is not the one that the policies were tested with."""

    code = "policy-engine-unfit"
    title_zh = "已安装的 Rego 引擎不是经过测试的版本"
    next_zh = f"在本环境中安装 {DISTRIBUTION}=={VERSION},并卸载其他提供 regorus 的软件包。"
    next_en = f"Install {DISTRIBUTION}=={VERSION} here, and uninstall other packages that provide regorus."


class EmbeddedEngine:
    """A PolicyEngine on regorus; see policies.engine for the promises."""

    def __init__(self, bundle: Bundle) -> None:
        """Take a bundle that is already verified and checked; ``open_embedded`` does both."""
        self._bundle = bundle
        self._seal = Seal(bundle.digest, f"regorus/{VERSION}")
        self._closed = False

    @property
    def digest(self) -> str:
        """Name the bundle that decides."""
        return self._seal.policy_digest

    async def decide(self, question: Question) -> Decision:
        """Answer one question; see PolicyEngine.decide."""
        return self.decide_now(question)

    def decide_now(self, question: Question) -> Decision:
        """Answer one question in this thread, without an event loop."""
        started = monotonic_seconds()
        try:
            asked = ask(question)
            decision = incoming(self._evaluate(asked.raw), question, self._seal, asked.revision)
        except Undecided as fault:
            log.warning("policy_undecided", reason=fault.reason, policy=self.digest)
            return indeterminate(fault.reason, question, self._seal)
        elapsed_seconds = monotonic_seconds() - started
        if elapsed_seconds > SLOW_SECONDS:
            log.warning("policy_slow", elapsed_ms=int(elapsed_seconds * 1000), decision=decision.decision_id)
        return decision

    def close(self) -> None:
        """Refuse from now on; other threads' engines go with their threads."""
        self._closed = True
        _ENGINES.drop(self.digest)

    def _evaluate(self, document: bytes) -> str:
        if self._closed:
            raise Undecided("pdp:closed")
        try:
            return evaluate(lambda: _ENGINES.get(self._bundle, self.digest), document)
        except Undecided as fault:
            if fault.reason == "pdp:panic":
                _ENGINES.drop(self.digest)
            raise


def build_embedded(url: str, bundle: Bundle | None, _options: EngineOptions) -> EmbeddedEngine:
    """Open what ``embedded:`` or ``embedded:FOLDER`` names, or ``bundle`` in its place."""
    return open_embedded(url.partition(":")[2], bundle)


def open_embedded(folder: str, bundle: Bundle | None = None) -> EmbeddedEngine:
    """Open the shipped bundle, the one at ``folder``, or ``bundle``: inside the profile, and able to refuse.

    Raises EngineUnfit, BundleTampered or OutsideProfile.
    """
    check_distribution()
    if bundle is None:
        bundle = read_bundle(Path(folder)) if folder else shipped_bundle()
    check_bundle(bundle)
    return EmbeddedEngine(bundle)


def check_bundle(bundle: Bundle) -> None:
    """Hold a bundle that may come from a partner against the profile, before any engine gets it.

    The text is judged before it is parsed, the syntax tree before it is evaluated, and at last the policies
    must refuse a question without facts. Raises OutsideProfile.
    """
    check_text(bundle.sources)
    try:
        _probe(bundle)
    except (RuntimeError, ValueError) as error:
        raise OutsideProfile(f"the policies do not load: {first_lines(error)}") from error
    except BaseException as error:  # as above
        if not is_panic(error):
            raise
        raise OutsideProfile("the policies crash the engine") from error


def _probe(bundle: Bundle) -> None:
    engine = build_engine(bundle)
    check_profile(engine.get_ast_as_json())
    engine.set_input_json("{}")
    answer = json.loads(engine.eval_rule_as_json(ENTRY_POINT))
    if not isinstance(answer, dict) or answer.get("allow") is not False:
        raise OutsideProfile("the policies do not refuse a question without facts")


def evaluate(engine: Callable[[], regorus.Engine], document: bytes) -> str:
    """Evaluate the entry point over an input document; raise Undecided where the engine fails or panics."""
    try:
        loaded = engine()
        loaded.set_input_json(document.decode())
        answer: str = loaded.eval_rule_as_json(ENTRY_POINT)
    except RuntimeError as error:
        raise Undecided("pdp:error") from error
    except BaseException as error:  # a Rust panic derives from it; anything else flies on
        if not is_panic(error):
            raise
        raise Undecided("pdp:panic") from error
    return answer


def build_engine(bundle: Bundle) -> regorus.Engine:
    """Load a bundle's sources into a fresh engine of this thread; raise RuntimeError as regorus does."""
    engine = regorus.Engine()
    for path, raw in sorted(bundle.sources.items()):
        engine.add_policy(path, raw.decode())
    return engine


def check_distribution() -> None:
    """Make sure that ``import regorus`` is the pinned one, untouched by packages of the same import name."""
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError as error:
        raise EngineUnfit(f"{DISTRIBUTION} is not installed") from error
    if installed.version != VERSION:
        raise EngineUnfit(f"{DISTRIBUTION} {installed.version} is installed, {VERSION} is needed")
    ours = [entry for entry in installed.files or [] if entry.parts[0] == "regorus" and entry.hash]
    loaded = Path(regorus.__file__).parent.resolve()
    for entry in ours:
        path = Path(str(entry.locate())).resolve()
        if path.parent != loaded or _record_hash(path) != (entry.hash and entry.hash.value):
            raise EngineUnfit(f"{entry} is not the file that {DISTRIBUTION} brought")
    if not ours:
        raise EngineUnfit(f"{DISTRIBUTION} lists no files")


def is_panic(error: BaseException) -> bool:
    """Tell a Rust panic, which is a BaseException in a module that cannot be imported, from all else."""
    return (type(error).__module__, type(error).__name__) == ("pyo3_runtime", "PanicException")


def _record_hash(path: Path) -> str:
    """Write a file's SHA-256 as wheel records do (PEP 427: urlsafe base64 without padding)."""
    return base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()


def first_lines(error: Exception) -> str:
    """Give what regorus says of an error, without its native stack trace."""
    return str(error).split("Stack backtrace")[0].strip()[:500]
