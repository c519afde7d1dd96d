"""The engine on a real OPA server: it decides as the embedded one, over TLS and behind a token."""

import asyncio
import gc
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from policies.bundle import Bundle, shipped_bundle
from policies.embedded import EmbeddedEngine
from policies.engine import EngineOptions, PullingEngine, open_engine
from policies.opa.archive import MANIFEST, SIGNATURES, pack, unpack
from policies.opa.server import ServerEngine
from policies.opa.signing import create_key, public_pem, signed_archive
from tests.certificates import Authority
from tests.opa_server import Opa, opa, opa_server, serving, write_unsigned  # noqa: F401  # opa is a fixture
from tests.policies.questions import APPLY, TRANSFER

pytestmark = pytest.mark.real

PATIENT = EngineOptions(deadline_seconds=30)
TOKEN_GUARD = """package system.authz

import rego.v1

default allow := false

allow if {
	input.identity == "s3cret-token"
	input.method == "POST"
	input.path == ["v1", "data", "headwaters", "main", "answer"]
}

allow if input.path == ["health"]
"""

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "policy-server.md"


def shown(language: str) -> str:
    """Take the one example in a language out of the page that tells people how to run a server."""
    [example] = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(example)


def patient(running: Opa, bundle: Bundle | None = None) -> ServerEngine:
    """Open the engine with a deadline that a busy machine keeps."""
    return ServerEngine(running.url, (bundle or shipped_bundle()).digest, PATIENT)


@pytest.mark.parametrize("question", [TRANSFER, APPLY])
def test_both_engines_decide_alike(opa: Opa, question: object) -> None:  # noqa: F811
    """The same question gets the same outcome, reasons, obligations and time from both engines."""
    embedded = EmbeddedEngine(shipped_bundle()).decide_now(question)  # type: ignore[arg-type]  # two Questions
    decision = asyncio.run(patient(opa).decide(question))  # type: ignore[arg-type]  # as above

    assert decision.engine == "opa/1.20.2"
    for member in ("outcome", "reasons", "obligations", "policy_digest", "revision", "valid_until_ms"):
        assert getattr(decision, member) == getattr(embedded, member)


def test_many_questions_at_once_are_all_answered(opa: Opa) -> None:  # noqa: F811
    """More questions than connections wait for each other and lose none."""

    async def ask() -> list[str]:
        engine = patient(opa)
        answers = await asyncio.gather(*(engine.decide(TRANSFER) for _ in range(200)))
        engine.close()
        return [answer.outcome for answer in answers]

    assert asyncio.run(ask()) == ["permit"] * 200


def test_one_engine_serves_one_loop_after_another(opa: Opa) -> None:  # noqa: F811
    """Each event loop has a session of its own, and takes it along when it ends; nothing is left open."""
    engine = patient(opa)

    outcomes = [asyncio.run(engine.decide(TRANSFER)).outcome for _ in range(3)]

    assert outcomes == ["permit"] * 3
    assert engine._sessions._held == {}


def test_a_closed_engine_refuses_and_leaves_nothing_open(opa: Opa) -> None:  # noqa: F811
    """``close`` is synchronous; inside a running loop the connections are closed all the same."""

    async def ask() -> tuple[str, list[str]]:
        engine = patient(opa)
        before = await engine.decide(TRANSFER)
        engine.close()
        after = await engine.decide(TRANSFER)
        await asyncio.sleep(0)
        await asyncio.gather(*engine._sessions._ending)
        assert engine._sessions._held == {}
        return before.outcome, after.codes

    assert asyncio.run(ask()) == ("permit", ["pdp:closed"])
    gc.collect()  # an open connection would be a ResourceWarning here


def test_closing_in_the_last_step_of_a_loop_leaks_nothing(opa: Opa) -> None:  # noqa: F811
    """A loop that ends right after ``close`` still closes the connections."""
    engine = patient(opa)

    async def ask() -> None:
        await engine.decide(TRANSFER)
        engine.close()

    asyncio.run(ask())

    assert engine._sessions._held == {}


def test_closing_from_outside_a_running_loop(opa: Opa) -> None:  # noqa: F811
    """Another thread may close the engine while its loop runs."""

    async def ask() -> list[str]:
        engine = patient(opa)
        await engine.decide(TRANSFER)
        await asyncio.to_thread(engine.close)
        return (await engine.decide(TRANSFER)).codes

    assert asyncio.run(ask()) == ["pdp:closed"]


def test_two_threads_may_ask_one_engine(opa: Opa) -> None:  # noqa: F811
    """Two event loops at the same time have a session each, and close both."""
    engine = patient(opa)

    async def ask() -> set[str]:
        return {(await engine.decide(TRANSFER)).outcome for _ in range(20)}

    with ThreadPoolExecutor(2) as threads:
        seen = [task.result() for task in [threads.submit(asyncio.run, ask()) for _ in range(2)]]

    assert seen == [{"permit"}, {"permit"}]
    assert engine._sessions._held == {}


def test_it_says_what_it_serves_and_changes_when_told() -> None:
    """While a change is under way both bundles are taken; afterwards only the new one is."""
    old = shipped_bundle()
    path = "headwaters/main.rego"
    new = Bundle({**old.sources, path: old.sources[path] + b"\n# a change\n"})

    async def ask(running: Opa) -> list[object]:
        engine = open_engine(running.url, old, PATIENT)
        assert isinstance(engine, PullingEngine)
        seen: list[object] = [(await engine.decide(TRANSFER)).codes, await engine.serving()]
        engine.expect(old.digest, new.digest)
        both = await engine.decide(TRANSFER)
        seen += [(both.outcome, both.policy_digest), engine.digest]
        engine.expect(new.digest)
        seen += [(await engine.decide(TRANSFER)).policy_digest, engine.digest]
        engine.close()
        return seen

    with serving(new) as running:
        seen = asyncio.run(ask(running))

    both = [("permit", new.digest), old.digest]
    assert seen == [["pdp:wrong-bundle"], new.digest, *both, new.digest, new.digest]


def test_a_server_that_is_gone_serves_nothing() -> None:
    """Asked what it serves, a server that does not answer gives None."""
    with serving(shipped_bundle()) as running:
        engine = patient(running)
        running.kill()

        assert asyncio.run(engine.serving()) is None


def test_a_server_that_comes_back_is_asked_again(tmp_path: Path) -> None:
    """Connections that the old server closed do not stop the first question to the new one."""
    bundle = write_unsigned(shipped_bundle(), tmp_path / "bundle.tar.gz")

    async def ask() -> list[str]:
        with opa_server(bundle) as first:
            engine = patient(first)
            outcomes: list[str] = [(await engine.decide(TRANSFER)).outcome]
        outcomes.append((await engine.decide(TRANSFER)).outcome)
        with opa_server(bundle, port=first.port):
            outcomes.append((await engine.decide(TRANSFER)).outcome)
        engine.close()
        assert engine._breaker.failures == 0
        return outcomes

    assert asyncio.run(ask()) == ["permit", "indeterminate", "permit"]


@pytest.mark.parametrize(
    ("name", "codes"), [("headwaters-exchange", ["agreement-in-force"]), ("another", ["pdp:refused"])]
)
def test_mutual_tls_and_the_guard_of_the_page(tmp_path: Path, name: str, codes: list[str]) -> None:
    """A server behind the page's guard decides for the exchange's certificate, and not for another's."""
    authority = Authority(tmp_path, "authority")
    server, client = authority.issue("server", host="127.0.0.1"), authority.issue(name)
    options = EngineOptions(authority.certificate, client.certificate, client.key, None, 30)
    bundle = write_unsigned(shipped_bundle(), tmp_path / "bundle.tar.gz")
    (tmp_path / "guard.rego").write_text(shown("rego"))
    flags = (
        *("--tls-cert-file", str(server.certificate), "--tls-private-key-file", str(server.key)),
        *("--tls-ca-cert-file", str(authority.certificate), "--authentication", "tls"),
        *("--authorization", "basic", str(tmp_path / "guard.rego")),
        *("--set", f"bundles.headwaters.resource=file://{bundle}"),
    )
    with opa_server(options=flags, scheme="https") as running:
        engine = open_engine(running.url, shipped_bundle(), options)
        decision = asyncio.run(engine.decide(TRANSFER))

    assert decision.codes == codes


def test_a_token_opens_the_decision_and_is_read_anew(tmp_path: Path) -> None:
    """A server that lets one token in decides; a replaced token counts from the next question on."""
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("old-token\n")
    bundle = write_unsigned(shipped_bundle(), tmp_path / "bundle.tar.gz")
    (tmp_path / "guard.rego").write_text(TOKEN_GUARD)
    flags = (
        *("--authentication", "token", "--authorization", "basic"),
        *("--set", f"bundles.headwaters.resource=file://{bundle}", str(tmp_path / "guard.rego")),
    )
    with opa_server(options=flags) as running:
        engine = ServerEngine(
            running.url, shipped_bundle().digest, EngineOptions(None, None, None, token, 30)
        )
        before = asyncio.run(engine.decide(TRANSFER))
        token.write_text("s3cret-token\n")
        after = asyncio.run(engine.decide(TRANSFER))

    assert (before.codes, after.outcome) == (["pdp:refused"], "permit")


def test_a_signed_bundle_is_taken_by_a_server_that_checks(tmp_path: Path) -> None:
    """OPA itself verifies our signature, and decides under the digest that it covers."""
    flags = signed(tmp_path, shipped_bundle())
    with opa_server(tmp_path / "bundle.tar.gz", options=flags) as running:
        decision = asyncio.run(patient(running).decide(TRANSFER))

    assert (decision.outcome, decision.policy_digest) == ("permit", shipped_bundle().digest)


def test_a_signed_bundle_is_served_unchecked_as_it_is(tmp_path: Path) -> None:
    """An OPA that is told not to verify takes the same file."""
    signed(tmp_path, shipped_bundle())
    with opa_server(tmp_path / "bundle.tar.gz", options=("--skip-verify",)) as running:
        decision = asyncio.run(patient(running).decide(TRANSFER))

    assert decision.outcome == "permit"


@pytest.mark.parametrize("change", ["source", "manifest", "added", "dropped", "unsigned", "other-key"])
def test_opa_refuses_a_bundle_that_was_changed(tmp_path: Path, change: str) -> None:
    """A changed, added or missing file, no signature, or another's: OPA does not start to decide."""
    flags = signed(tmp_path, shipped_bundle(), change)

    with (
        pytest.raises(RuntimeError, match="OPA is not ready"),
        opa_server(tmp_path / "bundle.tar.gz", options=flags),
    ):
        raise AssertionError("OPA took the bundle")


@pytest.mark.parametrize(("change", "code"), [("", None), ("source", "pdp:wrong-bundle")])
def test_opa_pulls_a_signed_bundle(tmp_path: Path, change: str, code: str | None) -> None:
    """OPA, set up as the page says, fetches and verifies the archive; one that was changed never decides."""
    _, pem, *_ = signed(tmp_path, shipped_bundle(), change)
    config = tmp_path / "opa.yaml"
    with file_server(tmp_path) as url:
        told = shown("yaml").replace("https://exchange.example", url).replace("policy/bundle", "bundle")
        config.write_text(told.replace("BUNDLE_KEY", Path(pem).read_text().replace("\n", "\n      ")))
        with opa_server(options=("--config-file", str(config)), ready=not change) as running:
            if change:
                running.wait_for_log("digest mismatch")
            decision = asyncio.run(patient(running).decide(TRANSFER))

    assert (decision.outcome, decision.codes) == (
        ("indeterminate", [code]) if code else ("permit", ["agreement-in-force"])
    )


@contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP on a loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def signed(folder: Path, bundle: Bundle, change: str = "") -> tuple[str, ...]:
    """Write a signed archive, tampered as ``change`` says, and give the flags that make OPA verify it."""
    key = create_key(folder / "policy.key")
    raw = signed_archive(bundle, key)
    files = tampered(raw, change)
    (folder / "bundle.tar.gz").write_bytes(pack(files))
    verified_with = create_key(folder / "other.key") if change == "other-key" else key
    (folder / "policy.pem").write_bytes(public_pem(verified_with))
    return ("--verification-key", str(folder / "policy.pem"), "--signing-alg", "ES256")


def tampered(raw: bytes, change: str) -> dict[str, bytes]:
    """Take an archive apart and spoil it in one way."""
    files = unpack(raw)
    match change:
        case "source":
            files["headwaters/main.rego"] += b"\n# changed\n"
        case "manifest":
            files[MANIFEST] = files[MANIFEST].replace(b"sha256:", b"sha256:0")
        case "added":
            files["headwaters/more.rego"] = b"package headwaters.more\n"
        case "dropped":
            del files["headwaters/apply.rego"]
        case "unsigned":
            del files[SIGNATURES]
        case _:
            pass
    return files
