"""Opening an engine on a server: which URLs and files are taken, and what its session cannot do."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from policies.bundle import shipped_bundle
from policies.engine import EngineOptions, open_engine
from policies.guard import Undecided
from policies.opa.address import Address, BadPolicyUrl
from policies.opa.private_files import PolicyFileExposed, PolicyFileUnreadable
from policies.opa.server import ServerEngine
from policies.opa.session import Session
from tests.certificates import Authority
from tests.policies.opa.faults import GOOD
from tests.policies.opa.hostile import hostile_server
from tests.policies.questions import TRANSFER


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8181", Address("127.0.0.1", 8181, secure=False)),
        ("http://127.9.9.9/", Address("127.9.9.9", 80, secure=False)),
        ("http://localhost:8181/", Address("localhost", 8181, secure=False)),
        ("http://[::1]:8181", Address("[::1]", 8181, secure=False)),
        ("https://opa.example", Address("opa.example", 443, secure=True)),
        ("https://10.0.0.7:8443", Address("10.0.0.7", 8443, secure=True)),
    ],
)
def test_an_address_is_read_from_a_url(url: str, address: Address) -> None:
    """Plain HTTP goes to this machine, HTTPS anywhere; the port is the scheme's where none is named."""
    assert Address.read(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://opa.example:8181",
        "http://10.0.0.7:8181",
        "http://0.0.0.0:8181",
        "http://localhost.example:8181",
        "http://127.0.0.1.example:8181",
        "http://user:secret@127.0.0.1:8181",
        "http://127.0.0.1:8181/v1",
        "http://127.0.0.1:8181?a=b",
        "http://127.0.0.1:8181#a",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:eight",
        "http://[::1",
        "http://127.0.0.1 :8181",
        "https://",
        "https:opa.example",
        "http:",
    ],
)
def test_a_url_that_says_more_or_less_is_refused(url: str) -> None:
    """Plain HTTP off this machine, a path, a user, or no host: wrong usage."""
    with pytest.raises(BadPolicyUrl) as caught:
        open_engine(url)

    assert caught.value.exit_code == 64


def test_an_engine_names_its_bundle_before_it_asks() -> None:
    """Opening asks nothing; the digest is that of the bundle given, or of the shipped one."""
    assert open_engine("http://127.0.0.1:1").digest == shipped_bundle().digest
    assert open_engine("https://opa.example", shipped_bundle()).digest == shipped_bundle().digest


def test_tls_files_without_tls_are_refused(tmp_path: Path) -> None:
    """A CA or a client certificate beside plain HTTP is a mistake, and so is half a pair."""
    pair = Authority(tmp_path, "authority").issue("client")
    for url, options in (
        ("http://127.0.0.1:1", EngineOptions(ca=pair.certificate)),
        ("http://127.0.0.1:1", EngineOptions(certificate=pair.certificate, client_key=pair.key)),
        ("https://opa.example", EngineOptions(certificate=pair.certificate)),
        ("https://opa.example", EngineOptions(client_key=pair.key)),
    ):
        with pytest.raises(BadPolicyUrl):
            open_engine(url, options=options)


def test_tls_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    """A CA that is none, a key that does not fit, a missing one and one that others may read: refused."""
    authority = Authority(tmp_path, "authority")
    one, other = authority.issue("one"), authority.issue("other")
    empty, locked = tmp_path / "empty", tmp_path / "locked"
    empty.touch(0o600)
    locked.touch(0o600)
    locked.write_bytes(with_passphrase(one.key.read_bytes()))
    for options in (
        EngineOptions(ca=empty),
        EngineOptions(ca=tmp_path / "missing"),
        EngineOptions(certificate=one.certificate, client_key=other.key),
        EngineOptions(certificate=one.certificate, client_key=empty),
        EngineOptions(certificate=one.certificate, client_key=locked),
        EngineOptions(certificate=one.certificate, client_key=tmp_path / "missing"),
    ):
        with pytest.raises(PolicyFileUnreadable):
            open_engine("https://opa.example", options=options)
    one.key.chmod(0o604)
    with pytest.raises(PolicyFileExposed):
        open_engine(
            "https://opa.example", options=EngineOptions(certificate=one.certificate, client_key=one.key)
        )


def with_passphrase(pem: bytes) -> bytes:
    """Encrypt a key."""
    return serialization.load_pem_private_key(pem, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )


def test_the_session_asks_for_decisions_and_does_nothing_else() -> None:
    """Every other request of the client is refused before it leaves, uploads of policies above all."""

    async def try_all(port: int) -> None:
        async with Session(Address("127.0.0.1", port, secure=False), EngineOptions(), None) as session:
            for attempt in (
                session.update_policy_from_string("package a", "a"),
                session.update_policy_from_url("http://127.0.0.1:1/a.rego", "a"),
                session.update_or_create_data({}, "a"),
                session.patch_data("a", []),
                session.delete_policy("a"),
                session.delete_data("a"),
                session.get_policies_list(),
                session.get_data("headwaters/main/answer"),
                session.ad_hoc_query("true"),
                session.compile_query("true"),
                session.query_rule({}, "headwaters.main", "allow"),
                session.query_rule({}, "headwaters.main/answer?explain=full&", "x"),
            ):
                with pytest.raises(Undecided):
                    await attempt
            assert await session.check_health() is False

    with hostile_server(GOOD) as server:
        asyncio.run(try_all(server.port))

        assert server.asked == []


def test_the_question_is_asked_strictly_and_as_it_was_checked() -> None:
    """The request names strict errors and provenance, asks for no compression, and carries the very input."""
    with hostile_server(GOOD) as server:
        engine = ServerEngine(server.url, shipped_bundle().digest, EngineOptions(deadline_seconds=30))
        asyncio.run(engine.decide(TRANSFER))
        [(head, sent)] = server.asked

    lines = head.splitlines()
    assert lines[0] == (
        "POST /v1/data/headwaters/main/answer?strict-builtin-errors=true&provenance=true HTTP/1.1"
    )
    assert "Accept-Encoding: identity" in lines
    assert not [line for line in lines if line.lower().startswith(("authorization", "cookie"))]
    assert sent.startswith(b'{"input":{"action":"transfer"')


def test_the_token_goes_into_the_header_and_nowhere_else(tmp_path: Path) -> None:
    """The bearer token of the file stands in one header; what could be no token is never sent."""
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("s3cret\n")
    options = EngineOptions(token_file=token, deadline_seconds=30)
    with hostile_server(GOOD) as server:
        engine = ServerEngine(server.url, shipped_bundle().digest, options)
        first = asyncio.run(engine.decide(TRANSFER))
        others = []
        for odd in ("密码", "", "two words", "a\r\nX-Forwarded-For: 10.0.0.1"):
            token.write_text(odd)
            others.append(asyncio.run(engine.decide(TRANSFER)).codes)
        [(head, _)] = server.asked

    assert "Authorization: Bearer s3cret" in head.splitlines()
    assert (first.outcome, others) == ("permit", [["pdp:refused"]] * 4)


def test_facts_that_do_not_fit_are_not_sent() -> None:
    """What the schema refuses never reaches the server."""
    with hostile_server(GOOD) as server:
        engine = ServerEngine(server.url, shipped_bundle().digest, EngineOptions(deadline_seconds=30))
        odd = replace(TRANSFER, purpose=7)  # type: ignore[arg-type]  # wrong on purpose
        decision = asyncio.run(engine.decide(odd))

        assert server.asked == []

    assert (decision.outcome, decision.codes) == ("indeterminate", ["pdp:bad-input"])
