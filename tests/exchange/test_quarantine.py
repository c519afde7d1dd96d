"""Quarantine: nothing goes to a participant or comes from it but evidence, and its root key leads out."""

import dataclasses

import pytest

from audit.formats.dsse import parse_envelope
from contracts.messages import MailboxAnswer, MemberStatus, RelayRequest, SecurityEvent, Severity
from exchange.members import store
from exchange.members.model import MemberRecord
from nodes.addresses import mailbox_base
from tests.exchange.provinces import Exchange, Province, Serving, code, mailbox_answer
from tests.exchange.rotating import hand_in, replace
from tests.exchange.test_members import kinds, revocations

pytestmark = pytest.mark.anyio

WHY = {"reason": "its node may be in other hands"}
# Fixed, as the names of parametrised tests must be the same in every worker.
GRANT, OTHER, NAME = "g-zzzzzzzzzzzz", "p-zzzzzzzzzzzz", "city-air"
BUSINESS = [
    ("POST", "/probe"),
    ("POST", "/contracts"),
    ("POST", "/datasets"),
    ("GET", f"/datasets/{NAME}"),
    ("GET", "/catalog"),
    ("POST", f"/datasets/{NAME}/releases"),
    ("GET", f"/datasets/{NAME}/releases"),
    ("POST", "/applications"),
    ("GET", "/applications"),
    ("POST", "/subscriptions"),
    ("GET", "/subscriptions"),
    ("POST", "/transfers"),
    ("GET", "/events"),
    ("POST", "/trust/roots"),
    ("POST", f"/relay/{OTHER}"),
]
EVIDENCE = [
    ("POST", f"/transfers/{GRANT}/receipts"),
    ("POST", f"/transfers/{GRANT}/abort"),
    ("GET", f"/transfers/{GRANT}"),
    ("POST", "/counts"),
    ("POST", "/log/forks"),
    ("GET", "/heads"),
]


async def quarantined(exchange: Exchange, *, rooted: bool = False) -> Province:
    """Admit a province and cut it off."""
    province = await exchange.admit(rooted=rooted)
    answer = await exchange.act(province, "quarantine", WHY)
    assert answer.json()["status"] == "quarantined", answer.text
    return province


def cut_off(exchange: Exchange, province: Province) -> MailboxAnswer:
    """Quarantine a province while the exchange waits for its answer, then answer."""
    cut = dataclasses.replace(record(exchange, province), status=MemberStatus.QUARANTINED)
    exchange.parts.log.commit_blocking(lambda unit: store.save_member(unit.session, cut, unit.now))
    exchange.parts.roll.load()
    return mailbox_answer(200, b"")


def record(exchange: Exchange, province: Province) -> MemberRecord:
    """Give the member as the exchange knows it."""
    return exchange.parts.roll.member(province.participant)


async def test_a_quarantine_stops_warns_and_is_logged_at_once(exchange: Exchange) -> None:
    """It changes directory and revocations, and signs an event of high severity, in one commit."""
    province = await quarantined(exchange)
    listed = await revocations(exchange)
    events = (await exchange.person("auditor").get("/operator/events")).json()["events"]
    event = SecurityEvent.parse(parse_envelope(events[-1].encode()).payload)

    assert kinds(exchange, 4) == ["member.quarantine", "admin.act", "directory", "sec.event"]
    assert listed.participants == [province.participant]
    assert (event.event_class, event.severity) == ("member.quarantined", Severity.HIGH)
    assert event.subject == province.participant


async def test_who_is_suspended_can_be_quarantined_and_resumed(exchange: Exchange) -> None:
    """On the revocation list it stays one and the same stop; resuming lifts it."""
    province = await exchange.admit()
    await exchange.act(province, "suspend", {"reason": "misuse"})
    await exchange.act(province, "quarantine", WHY)
    between = await revocations(exchange)
    resumed = await exchange.act(province, "resume")
    after = await revocations(exchange)

    assert (between.number, between.participants) == (1, [province.participant])
    assert (resumed.json()["status"], after.number, after.participants) == ("active", 2, [])


async def test_quarantine_is_never_merely_suspension(exchange: Exchange) -> None:
    """There is no step from quarantine to suspension, and a second quarantine changes nothing."""
    province = await quarantined(exchange)
    for step in ("suspend", "quarantine"):
        assert code(await exchange.act(province, step, WHY)) == (409, "wrong-member-step")
    revoked = await exchange.act(province, "revoke", WHY)

    assert revoked.json()["status"] == "revoked"


async def test_only_the_administrator_quarantines(exchange: Exchange) -> None:
    """Auditor and operator are refused."""
    province = await exchange.admit()
    path = f"/operator/members/{province.participant}/quarantine"
    for name in ("auditor", "operator"):
        assert code(await exchange.person(name).post(path, json=WHY)) == (403, "wrong-role")

    assert record(exchange, province).status is MemberStatus.ACTIVE


@pytest.mark.parametrize(("method", "path"), BUSINESS)
async def test_no_business_comes_from_quarantine(exchange: Exchange, method: str, path: str) -> None:
    """Every route that moves data, terms or news refuses a quarantined node by its standing."""
    province = await quarantined(exchange)
    answer = await province.http.request(method, path, content=b"{}")

    assert code(answer) == (403, "member-not-active")


@pytest.mark.parametrize(("method", "path"), EVIDENCE)
async def test_evidence_comes_out_of_quarantine(exchange: Exchange, method: str, path: str) -> None:
    """Receipts, aborts, counts and fork proofs get past the standing; the same node suspended does not."""
    province = await quarantined(exchange)
    heard = await province.http.request(method, path, content=b"{}")

    assert heard.status_code in {200, 400, 404}
    assert heard.status_code == 200 or heard.json()["code"] != "member-not-active"


async def test_a_suspended_node_waits_with_its_receipts(exchange: Exchange) -> None:
    """A suspension is lifted again, and what waits in the outbox comes then."""
    province = await exchange.admit()
    await exchange.act(province, "suspend", {"reason": "misuse"})
    answer = await province.http.post(f"/transfers/{GRANT}/receipts", content=b"{}")

    assert code(answer) == (403, "member-not-active")


async def test_a_quarantined_node_is_no_witness_and_gets_no_requests(exchange: Exchange) -> None:
    """It is not asked for cosignatures, and its poll brings heads only."""
    province = await quarantined(exchange)
    polled = await province.poll()

    assert exchange.parts.roll.witnesses() == []
    assert polled.requests == []


async def test_an_answer_on_its_way_is_dropped(exchange: Exchange) -> None:
    """A relay that was under way when its provider was quarantined brings nothing to the consumer."""
    provider, consumer = await exchange.admit(), await exchange.admit()
    message = RelayRequest(
        method="POST",
        target_uri=f"{mailbox_base(provider.participant)}/witness/gossip",
        headers=[],
        body="",
    )

    async with Serving(provider):
        good = await consumer.http.post(f"/relay/{provider.participant}", content=message.canonical())
    provider.odd = lambda _request: cut_off(exchange, provider)
    async with Serving(provider):
        late = await consumer.http.post(f"/relay/{provider.participant}", content=message.canonical())

    assert good.status_code == 200
    assert code(late) == (403, "not-relayed")


async def test_quarantine_ends_with_a_key_that_the_root_key_signed(exchange: Exchange) -> None:
    """The node key may be in other hands, so it changes nothing by itself; the root key does."""
    province = await quarantined(exchange, rooted=True)
    before, first = record(exchange, province).node_key, province.node_key
    said, signers = replace(province, "node")
    refused = await hand_in(exchange, said, signers)
    unchanged = record(exchange, province).node_key
    assert province.root_key is not None
    taken = await hand_in(exchange, said, [*signers[1:], province.root_key])
    resumed = await exchange.act(province, "resume")

    assert code(refused) == (403, "root-key-needed")
    assert before == unchanged == first.public.text
    assert taken.json()["status"] == "quarantined"
    assert resumed.json()["status"] == "active"
    assert record(exchange, province).node_key == province.node_key.public.text


async def test_without_a_root_key_no_key_changes_in_quarantine(exchange: Exchange) -> None:
    """Whoever has no root key joins anew."""
    province = await quarantined(exchange)
    said, signers = replace(province, "sealing")

    assert code(await hand_in(exchange, said, signers)) == (403, "root-key-needed")


async def test_revoking_the_node_key_leaves_the_quarantine(exchange: Exchange) -> None:
    """A quarantined participant whose key is revoked stays quarantined, and cannot be resumed without one."""
    province = await quarantined(exchange)
    path = f"/operator/members/{province.participant}/revoke-key"
    body = {"role": "node", "reason": "compromised"}
    revoked = await exchange.person("administrator").post(path, json=body)
    resumed = await exchange.act(province, "resume")

    assert revoked.json()["status"] == "quarantined"
    assert code(resumed) == (403, "node-key-revoked")
