"""Key revocations by administrator or holder: what stops at once, and how a participant comes back."""

import pytest

from audit.keys.key_history import check_history
from audit.keys.signing import SigningKey
from audit.log.entry import parse_entry
from tests.exchange.provinces import Exchange, code
from tests.exchange.rotating import hand_in, member, replace, revocation
from tests.exchange.test_members import kinds, revocations

pytestmark = pytest.mark.anyio


async def test_a_revoked_witness_key_is_asked_no_more(exchange: Exchange) -> None:
    """The directory leaves a revoked witness key out; the participant was a witness and can be again."""
    witness, other = await exchange.admit(), await exchange.admit()
    revoked = await hand_in(exchange, revocation(witness, "witness"), [witness.node_key])
    listed = await member(exchange, witness)

    assert revoked.status_code == 200, revoked.text
    assert (listed.witness_vkey, listed.status.value) == (None, "active")
    assert [m.participant for m in exchange.parts.roll.witnesses()] == [other.participant]
    assert exchange.parts.roll.member(witness.participant).was_witness
    said, signers = replace(witness, "witness")
    back = await hand_in(exchange, said, [signers[0], signers[2]])  # without the revoked key
    assert back.status_code == 200, back.text
    assert (await member(exchange, witness)).witness_vkey == said.new


async def test_the_administrator_revokes_a_node_key(exchange: Exchange) -> None:
    """It is logged with the log's size, the member is suspended and on the list, its calls are refused."""
    province = await exchange.admit()
    answer = await exchange.act(province, "revoke-key", {"role": "node", "reason": "compromised"})

    assert answer.json()["status"] == "suspended"
    assert kinds(exchange, 4) == ["admin.act", "key.revoke", "directory", "sec.event"]
    index = exchange.parts.log.size() - 3
    fields = parse_entry(exchange.parts.log.entry(index)).fields
    assert (fields["n"], fields["kid"]) == (index, province.node_key.key_id)
    (past,) = (await member(exchange, province)).past_keys
    assert (past.why, past.until.size) == ("revoked", index)
    assert (await revocations(exchange)).participants == [province.participant]
    assert code(await province.http.post("/probe", json={"nonce": "n" * 16})) == (403, "node-key-revoked")
    key = exchange.parts.statement_key.public
    assert len(check_history(await member(exchange, province), {key.key_id: key})) == 2


async def test_a_participant_without_a_key_does_not_resume(exchange: Exchange) -> None:
    """While its node key is revoked nobody lets it act; with another, signed by its root key, it may."""
    province = await exchange.admit(rooted=True)
    await exchange.act(province, "revoke-key", {"role": "node", "reason": "lost"})
    assert code(await exchange.act(province, "resume")) == (403, "node-key-revoked")

    said, signers = replace(province, "node")
    assert code(await hand_in(exchange, said, signers)) == (401, "signature-invalid")
    assert province.root_key is not None
    brought = await hand_in(exchange, said, [province.node_key, province.root_key])
    resumed = await exchange.act(province, "resume")

    assert (brought.json()["status"], resumed.json()["status"]) == ("suspended", "active")
    assert (await province.http.post("/probe", json={"nonce": "n" * 16})).status_code == 200
    assert [past.why for past in (await member(exchange, province)).past_keys] == ["revoked", "rotated"]


@pytest.mark.parametrize(
    ("role", "problem"), [("sealing", "key-not-revocable"), ("statement", "wrong-key-rotation")]
)
async def test_what_is_not_revoked(exchange: Exchange, role: str, problem: str) -> None:
    """A sealing key is replaced, the exchange's key is no participant's, a plain node has no witness key."""
    province = await exchange.admit(witness=False)
    answer = await exchange.act(province, "revoke-key", {"role": role, "reason": "lost"})
    witness = await exchange.act(province, "revoke-key", {"role": "witness", "reason": "lost"})

    assert code(answer) == (400, problem)
    assert code(witness) == (400, "wrong-key-rotation")


async def test_a_key_is_revoked_once(exchange: Exchange) -> None:
    """A second revocation of the same key, by either side, is refused; so is a stranger's."""
    province = await exchange.admit()
    said = revocation(province, "witness")
    assert code(await hand_in(exchange, said, [SigningKey.generate()])) == (401, "signature-invalid")
    assert (await hand_in(exchange, said, [province.node_key])).status_code == 200

    assert code(await hand_in(exchange, said, [province.node_key])) == (409, "key-already-revoked")
    again = await exchange.act(province, "revoke-key", {"role": "witness", "reason": "lost"})
    assert code(again) == (409, "key-already-revoked")


async def test_key_acts_are_the_administrators(exchange: Exchange) -> None:
    """Neither auditor nor operator nor a node revokes keys or replaces the exchange's."""
    province = await exchange.admit()
    paths = (f"/operator/members/{province.participant}/revoke-key", "/operator/keys/statement")
    body = {"role": "node", "reason": "lost"}

    for path in paths:
        for client in (exchange.person("auditor"), exchange.person("operator"), province.http):
            assert (await client.post(path, json=body)).status_code == 403
