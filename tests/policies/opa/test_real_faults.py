"""What goes wrong with a real OPA server: each kind ends in an indeterminate refusal."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from contracts.clock import monotonic_seconds
from policies.bundle import Bundle, shipped_bundle
from policies.decision import Decision
from policies.engine import EngineOptions
from policies.opa.archive import MANIFEST, pack
from policies.opa.breaker import THRESHOLD
from policies.opa.server import ServerEngine
from tests.certificates import Authority, Pair
from tests.opa_server import free_ports, opa_server, serving, write_unsigned
from tests.policies.opa.hostile import hostile_server
from tests.policies.questions import TRANSFER

pytestmark = pytest.mark.real

PATIENT_SECONDS = 30.0
PERMIT = (
    '{"allow": true, "denials": [], "grounds": [{"code": "may-apply", "args": {}}], "obligations": [], '
    '"valid_until_ms": input.now_ms + 5000}'
)
POLICIES = {
    "parse-error": ('answer := {"allow": time.parse_rfc3339_ns(input.purpose) > 0}', "pdp:error"),
    "error-under-not": (
        f'late if time.parse_rfc3339_ns("x") < 5\n\nanswer := {PERMIT} if not late',
        "pdp:error",
    ),
    "division-by-zero": ('answer := {"allow": 1 / (input.now_ms - input.now_ms) > 0}', "pdp:error"),
    "two-answers": ("answer := [1] if input.v == 2\n\nanswer := [2] if input.now_ms > 0", "pdp:error"),
    "no-such-rule": ("other := 1", "pdp:undefined"),
    "no-answer": ("answer := true if input.v == 1", "pdp:undefined"),
    "true-answer": ("answer := true", "pdp:bad-answer"),
    "text-answer": ('answer := "permit"', "pdp:bad-answer"),
    "null-answer": ("answer := null", "pdp:undefined"),
    "set-answer": ('answer := {"allow", "denials"}', "pdp:bad-answer"),
    "allow-as-text": (f"answer := object.union({PERMIT}, " + '{"allow": "true"})', "pdp:bad-answer"),
    "unknown-obligation": (
        f"answer := object.union({PERMIT}, " + '{"obligations": [{"kind": "pray"}]})',
        "pdp:bad-answer",
    ),
    "unbound-permit": (f"answer := {PERMIT}", "pdp:inconsistent"),
    "endless": ("answer := count([1 | some x in numbers.range(1, 1e9); x > input.now_ms])", "pdp:timeout"),
    "too-large-answer": ("answer := numbers.range(1, 200000)", "pdp:bad-answer"),
}


def ask(url: str, options: EngineOptions | None = None, bundle: Bundle | None = None) -> Decision:
    """Ask once, expecting the answer of ``bundle``."""
    digest = (bundle or shipped_bundle()).digest
    engine = ServerEngine(url, digest, options or EngineOptions(deadline_seconds=PATIENT_SECONDS))
    try:
        return asyncio.run(engine.decide(TRANSFER))
    finally:
        engine.close()


def refused(decision: Decision, reason: str) -> bool:
    """Tell whether a decision is the indeterminate refusal with this reason, and nothing else."""
    return (decision.outcome, decision.allowed, decision.codes, decision.obligations) == (
        "indeterminate",
        False,
        [reason],
        (),
    )


@pytest.mark.parametrize("name", POLICIES)
def test_policies_that_fail_to_answer(name: str) -> None:
    """Errors, conflicts, undefined and odd answers refuse, under strict built-in errors as everywhere."""
    text, reason = POLICIES[name]
    bundle = Bundle(
        {"headwaters/main.rego": f"package headwaters.main\n\nimport rego.v1\n\n{text}\n".encode()}
    )
    deadline_seconds = 0.5 if reason == "pdp:timeout" else PATIENT_SECONDS
    with serving(bundle) as running:
        decision = ask(running.url, EngineOptions(deadline_seconds=deadline_seconds), bundle)

    assert refused(decision, reason)


def test_a_server_that_was_never_started() -> None:
    """Nobody listens: refused."""
    assert refused(ask(f"http://127.0.0.1:{free_ports(1)[0]}"), "pdp:unavailable")


def test_a_server_that_was_killed() -> None:
    """It decided, and was killed with its connections open: refused."""

    async def twice() -> tuple[Decision, Decision]:
        with serving(shipped_bundle()) as running:
            engine = ServerEngine(running.url, shipped_bundle().digest, EngineOptions(deadline_seconds=30))
            before = await engine.decide(TRANSFER)
            running.kill()
            after = await engine.decide(TRANSFER)
            engine.close()
            return before, after

    before, after = asyncio.run(twice())

    assert before.outcome == "permit"
    assert refused(after, "pdp:unavailable")


def test_a_server_that_has_no_bundle_yet() -> None:
    """OPA answers before its bundle has come, and such an answer is no decision."""
    service = f"http://127.0.0.1:{free_ports(1)[0]}"
    flags = (
        *("--set", f"services.exchange.url={service}", "--set", "bundles.headwaters.service=exchange"),
        *("--set", "bundles.headwaters.resource=policy/bundle.tar.gz"),
    )
    with opa_server(options=flags, ready=False) as running:
        assert refused(ask(running.url), "pdp:wrong-bundle")


def test_an_older_bundle() -> None:
    """A permit of the bundle before the one in force is not taken."""
    old = shipped_bundle()
    new = Bundle({**old.sources, "headwaters/more.rego": b"package headwaters.more\n"})
    with serving(old) as running:
        assert ask(running.url, bundle=old).outcome == "permit"
        assert refused(ask(running.url, bundle=new), "pdp:wrong-bundle")


def test_policies_that_are_no_bundle(tmp_path: Path) -> None:
    """The very same policies loaded as plain files have no revision, so nobody knows what they are."""
    folder = tmp_path / "headwaters"
    folder.mkdir()
    for path, raw in shipped_bundle().sources.items():
        (tmp_path / path).write_bytes(raw)
    with opa_server(options=(str(folder),)) as running:
        assert refused(ask(running.url), "pdp:wrong-bundle")


def test_a_bundle_without_a_revision(tmp_path: Path) -> None:
    """A manifest that names no revision names no bundle."""
    manifest = b'{"roots": ["headwaters"], "rego_version": 1}'
    (tmp_path / "bundle.tar.gz").write_bytes(pack({**shipped_bundle().sources, MANIFEST: manifest}))
    with opa_server(tmp_path / "bundle.tar.gz") as running:
        assert refused(ask(running.url), "pdp:wrong-bundle")


def test_a_second_bundle_beside(tmp_path: Path) -> None:
    """Where another bundle is loaded too, the answer is not of the one bundle alone."""
    other = pack({MANIFEST: b'{"revision": "1", "roots": ["other"]}'})
    (tmp_path / "other.tar.gz").write_bytes(other)
    first = write_unsigned(shipped_bundle(), tmp_path / "bundle.tar.gz")
    with opa_server(first, tmp_path / "other.tar.gz") as running:
        assert refused(ask(running.url), "pdp:wrong-bundle")


@pytest.mark.parametrize("given", ["none", "exposed", "gone"])
def test_a_server_that_wants_a_token(tmp_path: Path, given: str) -> None:
    """Without a token, with one that others may read, or with a file that is gone: refused."""
    token = tmp_path / "token"
    token.touch(0o644 if given == "exposed" else 0o600)
    guard = tmp_path / "guard.rego"
    guard.write_text('package system.authz\n\ndefault allow := false\n\nallow if input.path == ["health"]\n')
    bundle = write_unsigned(shipped_bundle(), tmp_path / "bundle.tar.gz")
    flags = (
        *("--authentication", "token", "--authorization", "basic"),
        *("--set", f"bundles.headwaters.resource=file://{bundle}", str(guard)),
    )
    if given == "gone":
        token.unlink()
    options = EngineOptions(token_file=None if given == "none" else token, deadline_seconds=PATIENT_SECONDS)
    with opa_server(options=flags) as running:
        assert refused(ask(running.url, options), "pdp:refused")


@pytest.mark.parametrize(
    "fault",
    [
        "other-authority",
        "system-authorities",
        "other-host",
        "expired",
        "not-yet",
        "no-client",
        "other-client",
    ],
)
def test_tls_that_does_not_hold(tmp_path: Path, fault: str) -> None:
    """A wrong CA, host, time or client certificate: no question crosses, and the decision refuses."""
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    hours = {"expired": -1, "not-yet": 4}.get(fault, 1)
    server = ours.issue("server", host="127.0.0.2" if fault == "other-host" else "127.0.0.1", hours=hours)
    client = (theirs if fault == "other-client" else ours).issue("client")
    ca = {"other-authority": theirs.certificate, "system-authorities": None}.get(fault, ours.certificate)
    shown = None if fault == "no-client" else client
    with serving(shipped_bundle(), options=mutual(server, ours), scheme="https") as running:
        decision = ask(running.url, options_of(ca, shown))

    assert refused(decision, "pdp:untrusted")


def test_tls_where_none_is_spoken() -> None:
    """HTTPS to a server that speaks plain HTTP: refused."""
    with serving(shipped_bundle()) as running:
        decision = ask(running.url.replace("http:", "https:"))

    assert refused(decision, "pdp:untrusted")


def test_plain_http_where_tls_is_spoken(tmp_path: Path) -> None:
    """Plain HTTP to a server that speaks TLS: refused."""
    authority = Authority(tmp_path, "authority")
    flags = mutual(authority.issue("server", host="127.0.0.1"), authority)
    with serving(shipped_bundle(), options=flags, scheme="https") as running:
        decision = ask(running.url.replace("https:", "http:"))

    assert refused(decision, "pdp:error")


def test_a_server_that_fails_again_and_again_is_left_alone() -> None:
    """After some failures in a row the questions are refused at once, without asking."""

    async def many() -> list[list[str]]:
        with ExitStack() as stack:
            server = stack.enter_context(hostile_server(hang_up))
            engine = ServerEngine(server.url, shipped_bundle().digest, EngineOptions(deadline_seconds=30))
            engine._breaker.rest_seconds = 3600
            codes = [(await engine.decide(TRANSFER)).codes for _ in range(THRESHOLD + 2)]
            engine.close()
            assert len(server.asked) == 2 * THRESHOLD
            return codes

    assert asyncio.run(many()) == [["pdp:unavailable"]] * THRESHOLD + [["pdp:resting"]] * 2


def test_policies_that_cannot_be_evaluated_do_not_shut_the_door() -> None:
    """One question that fails to evaluate, however often, leaves the way open for the others."""
    text = 'package headwaters.main\n\nimport rego.v1\n\nanswer := time.parse_rfc3339_ns("x")\n'
    bundle = Bundle({"headwaters/main.rego": text.encode()})

    async def many(url: str) -> bool:
        engine = ServerEngine(url, bundle.digest, EngineOptions(deadline_seconds=PATIENT_SECONDS))
        codes = [(await engine.decide(TRANSFER)).codes for _ in range(THRESHOLD + 2)]
        engine.close()
        assert codes == [["pdp:error"]] * (THRESHOLD + 2)
        return engine._breaker.admit(monotonic_seconds())

    with serving(bundle) as running:
        assert asyncio.run(many(running.url))


async def hang_up(_writer: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""


def mutual(server: Pair, clients: Authority) -> tuple[str, ...]:
    """Give the flags with which OPA shows a certificate and demands one."""
    return (
        *("--tls-cert-file", str(server.certificate), "--tls-private-key-file", str(server.key)),
        *("--tls-ca-cert-file", str(clients.certificate), "--authentication", "tls"),
    )


def options_of(ca: Path | None, client: Pair | None) -> EngineOptions:
    """Give the options with an authority and a client certificate, or without."""
    return EngineOptions(
        ca=ca,
        certificate=client.certificate if client else None,
        client_key=client.key if client else None,
        deadline_seconds=PATIENT_SECONDS,
    )
