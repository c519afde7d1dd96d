"""Membership: one invite, one key, one approval with the right fingerprint; every act signed and logged."""

import base64
from datetime import timedelta
from typing import get_args

import pytest

from audit.commitment import commit
from audit.formats.cosignature import Cosigner
from audit.formats.dsse import parse_envelope, sign
from audit.keys.signing import SigningKey, fingerprint
from audit.log.entry import parse_entry
from contracts.canonical import sha256_hex
from contracts.clock import FrozenClock
from contracts.messages import Directory, Heads, MemberStatus, Registration, Revocations, SecurityEvent
from exchange.members import flow
from exchange.members.model import Step, WrongStep, check_fingerprint, next_status
from tests.exchange.provinces import SICHUAN, Exchange, code

pytestmark = pytest.mark.anyio


def kinds(exchange: Exchange, last: int) -> list[str]:
    """Name the kinds of the log's last entries."""
    size = exchange.parts.log.size()
    return [parse_entry(raw).kind.value for raw in exchange.parts.log.entries(size - last, size)]


async def directory(exchange: Exchange) -> Directory:
    """Fetch the directory and verify it under the statement key."""
    envelope = parse_envelope((await exchange.http.get("/directory")).content)
    key = exchange.parts.statement_key.public
    envelope.verified_by({key.key_id: key}, {key.key_id})
    return Directory.parse(envelope.payload_as(Directory.payload_type))


async def revocations(exchange: Exchange) -> Revocations:
    """Fetch the revocation list and verify it under the statement key."""
    envelope = parse_envelope((await exchange.http.get("/revocations")).content)
    key = exchange.parts.statement_key.public
    envelope.verified_by({key.key_id: key}, {key.key_id})
    return Revocations.parse(envelope.payload_as(Revocations.payload_type))


async def test_a_province_joins_in_three_steps(exchange: Exchange) -> None:
    """Invite, join and approve lead from invited over pending to active, each step logged."""
    province = await exchange.invite()
    invited = (await exchange.http.get(f"/members/{province.participant}/status")).json()
    joined = await province.join()
    approved = await exchange.act(province, "approve", {"fingerprint": joined.json()["fingerprint"]})

    assert invited == {"participant": province.participant, "status": "invited"}
    assert (joined.status_code, joined.json()["status"]) == (202, "pending")
    assert approved.json()["status"] == "active"
    assert kinds(exchange, 4) == ["admin.act", "member.join", "member.approve", "directory"]


async def test_an_invite_pins_what_the_node_must_trust(exchange: Exchange) -> None:
    """The invite carries the log's key, the statement key, the origin and the quorum."""
    invite = (await exchange.invite()).invite
    parts = exchange.parts

    assert invite.log_vkey == str(parts.log_signer.verifier_key)
    assert invite.statement_key == parts.statement_key.public.text
    assert (invite.origin, invite.quorum, invite.witnesses) == (parts.settings.origin, 2, 3)


async def test_an_act_names_the_person_by_commitment(exchange: Exchange) -> None:
    """The log holds the role, and the person only as a salted commitment that the person's salt opens."""
    await exchange.admit()
    size = exchange.parts.log.size()
    fields = parse_entry(exchange.parts.log.entry(size - 2)).fields
    salt = exchange.parts.roll.person("administrator").salt

    assert fields["act"] == commit(salt, b"administrator")
    assert fields["role"] == "administrator"


async def test_a_wrong_secret_is_refused(exchange: Exchange) -> None:
    """A registration with another secret leaves the invite unused."""
    province = await exchange.invite()
    wrong = await exchange.http.post("/join", content=province.registration(secret="x" * 43))

    assert code(wrong) == (403, "invite-refused")
    assert (await province.join()).status_code == 202


async def test_an_unknown_participant_learns_nothing(exchange: Exchange) -> None:
    """An id that was never invited gets the same refusal as a wrong secret."""
    province = await exchange.invite()
    answer = await exchange.http.post("/join", content=province.registration(participant="p-aaaaaaaaaaaa"))

    assert code(answer) == (403, "invite-refused")


async def test_an_invite_works_once(exchange: Exchange) -> None:
    """The same registration may be repeated; another key with the same secret is refused."""
    province = await exchange.invite()
    first = await province.join()
    again = await province.join()
    province.node_key = SigningKey.generate()
    other = await province.join()

    assert (first.status_code, again.status_code) == (202, 202)
    assert code(other) == (403, "invite-refused")


async def test_an_expired_invite_is_refused(exchange: Exchange, clock: FrozenClock) -> None:
    """An invite ends when it says so."""
    province = await exchange.invite()
    clock.advance(3601)

    assert code(await province.join()) == (403, "invite-refused")


async def test_a_registration_is_signed_by_its_own_key(exchange: Exchange) -> None:
    """A registration that another key signed is refused."""
    province = await exchange.invite()
    payload = parse_envelope(province.registration()).payload
    forged = sign(Registration.payload_type, payload, [SigningKey.generate()]).encode()

    assert code(await exchange.http.post("/join", content=forged)) == (401, "signature-invalid")


async def test_a_witness_says_so_in_invite_and_registration(exchange: Exchange) -> None:
    """A witness without a key, and a witness's key without the invite, are refused."""
    witness, reader = await exchange.invite(witness=True), await exchange.invite(witness=False)
    without = await exchange.http.post("/join", content=witness.registration(witness_vkey=None))
    beyond = await exchange.http.post(
        "/join", content=reader.registration(witness_vkey=str(reader.cosigner.verifier_key))
    )
    of_a_log = await exchange.http.post(
        "/join", content=witness.registration(witness_vkey=witness.invite.log_vkey)
    )

    assert code(without) == (400, "wrong-witness-key")
    assert code(beyond) == (400, "wrong-witness-key")
    assert code(of_a_log) == (400, "wrong-witness-key")


async def test_a_key_belongs_to_one_participant(exchange: Exchange) -> None:
    """A key that another participant registered is refused, for signing and for witnessing."""
    first, second = await exchange.admit(), await exchange.invite()
    second.witness_key = first.witness_key
    same_witness = await exchange.http.post("/join", content=second.registration())
    second.witness_key, second.node_key = SigningKey.generate(), first.node_key
    same_node = await second.join()

    assert code(same_witness) == (409, "key-taken")
    assert code(same_node) == (409, "key-taken")


async def test_an_address_off_loopback_needs_tls(exchange: Exchange) -> None:
    """A plain address off loopback is refused before anything is written."""
    province = await exchange.invite()
    answer = await exchange.http.post("/join", content=province.registration(address="http://10.0.0.1"))

    assert code(answer) == (400, "plain-http-refused")
    assert exchange.parts.roll.member(province.participant).status is MemberStatus.INVITED


async def test_approval_needs_the_right_fingerprint(exchange: Exchange) -> None:
    """Another key's fingerprint is refused; grouping and case of the right one do not matter."""
    province = await exchange.invite()
    await province.join()
    told = fingerprint(province.node_key.public.text)
    other = fingerprint(SigningKey.generate().public.text)
    wrong = await exchange.act(province, "approve", {"fingerprint": other})
    right = await exchange.act(province, "approve", {"fingerprint": told.upper().replace(" ", "-")})

    assert code(wrong) == (403, "fingerprint-mismatch")
    assert right.status_code == 200


async def test_nobody_is_approved_before_joining(exchange: Exchange) -> None:
    """A participant without a key cannot be approved."""
    province = await exchange.invite()

    assert code(await exchange.act(province, "approve", {"fingerprint": "x"})) == (409, "wrong-member-step")


async def test_only_the_administrator_acts(exchange: Exchange) -> None:
    """Auditor and operator are refused where an administrator is needed, and nothing is logged."""
    province = await exchange.invite()
    size = exchange.parts.log.size()
    path = f"/operator/members/{province.participant}/revoke"
    answers = [
        await exchange.person(name).post(path, json={"reason": "no"}) for name in ("auditor", "operator")
    ]

    assert [code(answer) for answer in answers] == [(403, "wrong-role")] * 2
    assert exchange.parts.log.size() == size


async def test_the_directory_is_chained_and_numbered(exchange: Exchange) -> None:
    """Each approval issues the next number, which names the digest of the one before."""
    await exchange.admit()
    first = await directory(exchange)
    await exchange.admit()
    second = await directory(exchange)

    assert (first.number, second.number) == (2, 3)
    assert second.previous == sha256_hex(first.canonical())
    assert len(second.members) == 2


async def test_the_directory_shows_nobody_unapproved(exchange: Exchange) -> None:
    """Invited and pending participants are not in the directory."""
    province = await exchange.invite()
    await province.join()

    assert (await directory(exchange)).members == []


async def test_a_suspension_stops_warns_and_is_logged_at_once(exchange: Exchange) -> None:
    """Suspending changes directory, revocations and heads, and signs an event, all in one commit."""
    province = await exchange.admit()
    before = exchange.parts.mailbox.heads
    answer = await exchange.act(province, "suspend", {"reason": "misuse"})
    listed = await revocations(exchange)
    events = (await exchange.person("auditor").get("/operator/events")).json()["events"]
    event = SecurityEvent.parse(parse_envelope(events[0].encode()).payload)

    assert answer.json()["status"] == "suspended"
    assert kinds(exchange, 4) == ["member.suspend", "admin.act", "directory", "sec.event"]
    assert (1, [province.participant]) == (listed.number, listed.participants)
    assert ("member.suspended", province.participant) == (event.event_class, event.subject)
    assert exchange.parts.mailbox.heads == Heads(events=1, directory=before.directory + 1)


async def test_a_resumed_member_acts_again(exchange: Exchange) -> None:
    """Resuming lifts the revocation under a new number."""
    province = await exchange.admit()
    await exchange.act(province, "suspend", {"reason": "misuse"})
    refused = await province.http.post("/probe", json={"nonce": "n"})
    await exchange.act(province, "resume")
    listed = await revocations(exchange)
    accepted = await province.http.post("/probe", json={"nonce": "n"})

    assert code(refused) == (403, "member-not-active")
    assert (listed.number, listed.participants) == (2, [])
    assert accepted.json()["nonce"] == "n"


async def test_a_revocation_is_final(exchange: Exchange) -> None:
    """A revoked participant stays in the directory as revoked, and nothing brings it back."""
    province = await exchange.admit()
    await exchange.act(province, "revoke", {"reason": "left"})
    again = await exchange.act(province, "resume")

    assert code(again) == (409, "wrong-member-step")
    assert [m.status for m in (await directory(exchange)).members] == [MemberStatus.REVOKED]


async def test_an_invite_can_be_withdrawn(exchange: Exchange) -> None:
    """Revoking an invited participant makes its invite useless."""
    province = await exchange.invite()
    await exchange.act(province, "revoke", {"reason": "mistake"})

    assert code(await province.join()) == (403, "invite-refused")


async def test_revocations_live_five_seconds(exchange: Exchange) -> None:
    """The list is signed anew for each reader and expires five seconds later."""
    listed = await revocations(exchange)

    assert listed.issued_at == exchange.clock.now()
    assert listed.expires_at - listed.issued_at == timedelta(seconds=5)


async def test_the_directory_is_renewed_before_it_expires(exchange: Exchange) -> None:
    """A directory is issued anew when half of its life is over, and not before."""
    fresh = await flow.reissue_directory(exchange.parts)
    exchange.clock.advance(12 * 3600 + 1)
    renewed = await flow.reissue_directory(exchange.parts)

    assert (fresh, renewed) == (None, 2)
    assert exchange.parts.mailbox.heads.directory == 2


async def test_there_are_never_more_witnesses_than_invites_promise(exchange: Exchange) -> None:
    """A fourth witness is refused, also when one of three was revoked; a withdrawn invite frees its place."""
    withdrawn = await exchange.invite()
    await exchange.act(withdrawn, "revoke", {"reason": "mistake"})
    first, *_ = [await exchange.admit() for _ in range(3)]
    await exchange.act(first, "revoke", {"reason": "left"})
    body = {"profile": SICHUAN.model_dump(mode="json"), "witness": True, "expires_hours": 1}
    fourth = await exchange.person("administrator").post("/operator/invites", json=body)

    assert code(fourth) == (409, "witnesses-complete")
    assert (await exchange.admit(witness=False)).participant


async def test_members_are_listed_with_their_fingerprints(exchange: Exchange) -> None:
    """The administrator sees the fingerprint to compare."""
    province = await exchange.admit()
    (listed,) = (await exchange.person("administrator").get("/operator/members")).json()["members"]

    assert listed["fingerprint"] == fingerprint(province.node_key.public.text)
    assert (listed["name"], listed["status"]) == ("四川", "active")


async def test_an_unknown_member_is_not_found(exchange: Exchange) -> None:
    """An id outside the alliance is 404, for status and for acts."""
    status = await exchange.http.get("/members/p-aaaaaaaaaaaa/status")
    act = await exchange.person("administrator").post("/operator/members/p-aaaaaaaaaaaa/resume")

    assert code(status) == (404, "unknown-member")
    assert code(act) == (404, "unknown-member")


@pytest.mark.parametrize("body", [{}, {"profile": {}, "witness": True, "expires_hours": 1}, {"x": 1}])
async def test_an_odd_invite_request_is_refused(exchange: Exchange, body: dict[str, object]) -> None:
    """A body of another shape is 400 and says where the fault lies, without values."""
    answer = await exchange.person("administrator").post("/operator/invites", json=body)

    assert code(answer) == (400, "bad-message")


def test_every_other_step_is_refused() -> None:
    """The state machine knows twelve steps and no more."""
    allowed = 0
    for status in MemberStatus:
        for step in get_args(Step):
            try:
                next_status(status, step)
            except WrongStep:
                continue
            allowed += 1

    assert allowed == 12
    check_fingerprint("ab cd", "ABCD")


async def test_a_witness_does_not_bear_the_logs_name(exchange: Exchange) -> None:
    """A witness key under the log's own name could be ground to the log's key id, and is refused.

    So is one under the name of a second line or of the twin, of whatever shard.
    """
    province = await exchange.invite()
    own = province.invite.origin
    for name in (own, f"{own}/mldsa44", f"{own}/2099h1/sm2-sm3", f"{own}/sm3"):
        vkey = str(Cosigner(name, province.witness_key).verifier_key)
        answer = await exchange.http.post("/join", content=province.registration(witness_vkey=vkey))

        assert code(answer) == (400, "wrong-witness-key")


async def test_a_key_of_small_order_does_not_join(exchange: Exchange) -> None:
    """A node key under which anybody could sign is refused, whatever signature comes with it."""
    province = await exchange.invite()
    neutral = "ed25519:" + base64.b64encode(bytes([1]) + bytes(31)).decode()
    answer = await exchange.http.post("/join", content=province.registration(node_key=neutral))

    assert code(answer) == (400, "key-invalid")
