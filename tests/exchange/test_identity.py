"""Identity: who signed, that the request counts once, and whether the signer may act."""

import httpx
import pytest

from audit.httpsig import sign_request
from audit.keys.signing import SigningKey
from contracts.messages import Role
from exchange.identity import WrongAddress, target_uri
from tests.exchange.provinces import BASE, Exchange, Province, code

pytestmark = pytest.mark.anyio

PROBE = b'{"nonce":"n"}'


async def send_probe(exchange: Exchange, headers: dict[str, str], body: bytes = PROBE) -> httpx.Response:
    """Send a probe with headers of the test's own making."""
    return await exchange.http.post("/probe", content=body, headers=headers)


def signed(province: Province, *, url: str = f"{BASE}/probe", nonce: str | None = None) -> dict[str, str]:
    """Sign a probe as a province does."""
    return sign_request(
        "POST",
        url,
        PROBE,
        key=province.node_key,
        keyid=province.participant,
        clock=province.exchange.clock,
        nonce=nonce,
    )


async def test_an_unsigned_request_is_refused(exchange: Exchange) -> None:
    """Every route but the open ones needs a signature."""
    paths = ["/probe", "/mailbox/poll", "/operator/invites", "/relay/p-aaaaaaaaaaaa"]
    answers = [await exchange.http.post(path, content=PROBE) for path in paths]
    answers += [
        await exchange.http.get(path)
        for path in ("/log/tile/entries/000.p/1", "/log/proof/0", "/operator/status", "/operator/members")
    ]

    assert [401] * len(answers) == [answer.status_code for answer in answers]


async def test_a_signed_request_is_accepted_once(exchange: Exchange) -> None:
    """The same signed request is refused the second time, durably."""
    province = await exchange.admit()
    headers = signed(province)
    first = await send_probe(exchange, headers)
    second = await send_probe(exchange, headers)

    assert first.json()["participant"] == province.participant
    assert code(second) == (401, "replayed")


async def test_two_callers_may_use_one_nonce(exchange: Exchange) -> None:
    """A nonce belongs to the key that used it, so nobody can spend another's."""
    one, other = await exchange.admit(), await exchange.admit()
    answers = [await send_probe(exchange, signed(who, nonce="n" * 20)) for who in (one, other)]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_changed_body_is_refused(exchange: Exchange) -> None:
    """The signature covers the body's digest."""
    province = await exchange.admit()
    answer = await send_probe(exchange, signed(province), body=b'{"nonce":"m"}')

    assert code(answer) == (401, "request-signature-invalid")


async def test_a_signature_for_another_place_is_refused(exchange: Exchange) -> None:
    """A signature over another path or host does not hold here."""
    province = await exchange.admit()
    path = await send_probe(exchange, signed(province, url=f"{BASE}/mailbox/poll"))
    host = await send_probe(exchange, signed(province, url="http://other.example/probe"))

    assert [code(path), code(host)] == [(401, "request-signature-invalid")] * 2


async def test_a_request_for_another_host_is_refused(exchange: Exchange) -> None:
    """A host that is not an address of this exchange is refused, even under a good signature."""
    province = await exchange.admit()
    client = exchange.client(province.node_key, province.participant, base="http://evil.example")

    assert code(await client.post("/probe", content=PROBE)) == (401, "wrong-exchange-address")


async def test_an_old_signature_is_refused(exchange: Exchange) -> None:
    """A signature ends after sixty seconds."""
    province = await exchange.admit()
    headers = signed(province)
    exchange.clock.advance(61)

    assert code(await send_probe(exchange, headers)) == (401, "request-out-of-time")


async def test_another_key_under_the_same_name_is_refused(exchange: Exchange) -> None:
    """The key id chooses the registered key, whatever key signed."""
    province = await exchange.admit()
    thief = exchange.client(SigningKey.generate(), province.participant)

    assert code(await thief.post("/probe", content=PROBE)) == (401, "request-signature-invalid")


@pytest.mark.parametrize("keyid", ["p-aaaaaaaaaaaa", "person:nobody", "exchange"])
async def test_an_unknown_key_is_refused(exchange: Exchange, keyid: str) -> None:
    """A key id that is not registered is refused, the exchange's own name among them."""
    stranger = exchange.client(SigningKey.generate(), keyid)

    assert code(await stranger.post("/probe", content=PROBE)) == (401, "unknown-caller")


async def test_a_node_is_no_person(exchange: Exchange) -> None:
    """A node cannot use an operator's route, and a person cannot use a node's."""
    province = await exchange.admit()
    node = await province.http.get("/operator/status")
    person = await exchange.person("administrator").post("/probe", content=PROBE)

    assert code(node) == (403, "wrong-role")
    assert code(person) == (401, "unknown-caller")


async def test_any_role_may_see_the_status(exchange: Exchange) -> None:
    """Administrator, auditor and operator may all read the status."""
    answers = [await exchange.person(role.value).get("/operator/status") for role in Role]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_a_pending_node_may_poll_and_nothing_else(exchange: Exchange) -> None:
    """Before approval a node hears of news; it cannot act."""
    province = await exchange.invite()
    await province.join()
    acted = await province.http.post("/probe", content=PROBE)
    leaf = await province.http.get("/log/proof/0")

    assert (await province.poll()).requests == []
    assert [code(acted), code(leaf)] == [(403, "member-not-active")] * 2


async def test_a_refusal_spends_the_nonce(exchange: Exchange) -> None:
    """A request that was refused for standing cannot be replayed after the standing has changed."""
    province = await exchange.admit()
    await exchange.act(province, "suspend", {"reason": "test"})
    headers = signed(province)
    refused = await send_probe(exchange, headers)
    await exchange.act(province, "resume")
    replayed = await send_probe(exchange, headers)

    assert code(refused) == (403, "member-not-active")
    assert code(replayed) == (401, "replayed")


async def test_the_public_scheme_is_ours_to_say(exchange: Exchange) -> None:
    """Behind a proxy that ends TLS, the signed URI begins with the public URL's scheme."""
    from starlette.requests import Request

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"q=1",
        "headers": [(b"host", b"exchange.example")],
    }
    bases = ("https://exchange.example", BASE)

    assert target_uri(Request(scope), bases) == "https://exchange.example/a%20b?q=1"
    with pytest.raises(WrongAddress):
        target_uri(Request(scope | {"headers": []}), bases)


async def test_a_target_that_is_no_uri_is_refused(exchange: Exchange) -> None:
    """Bytes outside ASCII in a path or query are a bad signature, not an internal error."""
    from starlette.requests import Request

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/\xff",
        "raw_path": b"/\xff",
        "query_string": b"q=\xe9",
        "headers": [(b"host", b"127.0.0.1:8420")],
    }

    assert target_uri(Request(scope), (BASE,)) == f"{BASE}/\ufffd?q=\ufffd"


@pytest.mark.parametrize("path", ["/events", "/datasets/city-air/releases"])
async def test_a_cursor_beyond_the_database_is_refused(exchange: Exchange, path: str) -> None:
    """A number that no database holds is the caller's mistake, not an internal error."""
    province = await exchange.admit()

    assert code(await province.http.get(f"{path}?since={10**30}")) == (400, "bad-request")
