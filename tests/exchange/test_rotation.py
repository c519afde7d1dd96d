"""Key rotations at the exchange: who has to sign, what log and directory say, what is refused."""

from datetime import timedelta

import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import parse_note
from audit.keys.key_history import check_history
from audit.log.entry import parse_entry
from contracts.clock import FrozenClock
from contracts.messages import (
    Inclusion,
    KeyRole,
    KeyRotation,
    LogPlace,
)
from exchange.log.cosigning import Cosigning
from tests.exchange.provinces import Exchange, Serving, code
from tests.exchange.rotating import hand_in, held, member, replace, revocation, rotate
from tests.exchange.test_members import kinds

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("role", ["node", "witness", "sealing"])
async def test_a_key_is_replaced_logged_and_listed(exchange: Exchange, role: KeyRole) -> None:
    """The entry names both keys, the directory the old one with the entry's place, and the chain holds."""
    province = await exchange.admit()
    old = held(province, role)
    said, signers = replace(province, role)

    answer = await hand_in(exchange, said, signers)

    assert answer.json() == {"participant": province.participant, "status": "active"}
    assert kinds(exchange, 3) == ["key.rotate", "directory", "sec.event"]
    index = exchange.parts.log.size() - 3
    entry = parse_entry(exchange.parts.log.entry(index))
    listed = await member(exchange, province)
    (past,) = listed.past_keys
    assert (entry.fields["part"], entry.fields["role"]) == (province.participant, role)
    assert entry.fields["dig"] == said.content_digest()
    assert (past.role, past.key, past.why) == (role, old, "rotated")
    assert past.until == LogPlace(origin=exchange.parts.log.origin, size=index)
    assert held(province, role) in {listed.node_key, listed.sealing_key, listed.witness_vkey}
    assert len(check_history(listed, {})) == 2
    assert (await province.poll()).requests == []  # its calls are signed with the present key


async def test_the_old_node_key_is_refused_at_once(exchange: Exchange) -> None:
    """After the rotation a request under the old key is nobody's."""
    province = await exchange.admit()
    old = exchange.client(province.node_key, province.participant)
    await rotate(province, "node")

    answer = await old.post("/probe", json={"nonce": "n" * 16})

    assert code(answer) == (401, "request-signature-invalid")


async def test_the_same_rotation_again_changes_nothing(exchange: Exchange) -> None:
    """A node whose answer was lost hands the statement in again and hears the same."""
    province = await exchange.admit()
    said, signers = replace(province, "node")
    first = await hand_in(exchange, said, signers)
    size = exchange.parts.log.size()

    again = await hand_in(exchange, said, signers)

    assert (again.status_code, again.json()) == (200, first.json())
    assert exchange.parts.log.size() == size


async def test_a_rotation_lacking_a_signature_is_refused(exchange: Exchange) -> None:
    """Neither the thief of one key nor the exchange alone can replace a key, and nothing is logged."""
    province = await exchange.admit()
    said, signers = replace(province, "node")
    size = exchange.parts.log.size()

    for lacking in signers:
        answer = await hand_in(exchange, said, [key for key in signers if key is not lacking])
        assert code(answer) == (401, "signature-invalid")
    answer = await hand_in(exchange, said, [exchange.parts.statement_key, signers[1]])
    assert code(answer) == (401, "signature-invalid")
    assert exchange.parts.log.size() == size


async def test_a_statement_that_was_kept_back_is_refused(exchange: Exchange, clock: FrozenClock) -> None:
    """A rotation or revocation counts for ten minutes, before and after its moment."""
    province = await exchange.admit()
    said, signers = replace(province, "node")
    late, early = timedelta(minutes=11), timedelta(minutes=-11)
    for shift in (late, early):
        moved = said.model_copy(update={"at": said.at + shift})
        assert code(await hand_in(exchange, moved, signers)) == (403, "key-change-out-of-time")
    moved_revocation = revocation(province, "witness").model_copy(update={"at": clock.now() + late})
    answer = await hand_in(exchange, moved_revocation, [signers[0]])
    assert code(answer) == (403, "key-change-out-of-time")


async def test_a_key_that_was_ever_held_is_not_taken_again(exchange: Exchange) -> None:
    """A new key is new: not another member's, not a past one, not the exchange's; nor is a witness's name."""
    first, second = await exchange.admit(rooted=True), await exchange.admit()
    former = first.node_key
    await rotate(first, "node")
    assert first.root_key is not None
    taken = [second.node_key, former, first.node_key, first.root_key, exchange.parts.statement_key]

    for key in taken:
        said = KeyRotation(
            participant=second.participant,
            role="node",
            old=second.node_key.public.text,
            new=key.public.text,
            at=exchange.clock.now(),
        )
        if key is not second.node_key:
            assert code(await hand_in(exchange, said, [second.node_key, key])) == (409, "key-taken")
    said, signers = replace(second, "witness")
    renamed = said.new.replace(second.participant, first.participant).replace("/w2", "")
    named = said.model_copy(update={"new": renamed})
    assert (await hand_in(exchange, named, signers)).status_code in {400, 409, 422}


@pytest.mark.parametrize("joined", [False, True])
async def test_only_approved_members_change_keys(exchange: Exchange, joined: bool) -> None:
    """A participant that was never approved has no keys to change, a revoked one none any more."""
    province = await exchange.invite()
    await province.join()
    if joined:
        await exchange.admit()
        told = {"reason": "left"}
        await exchange.act(province, "revoke", told)
    said, signers = replace(province, "node")

    assert code(await hand_in(exchange, said, signers)) == (409, "wrong-member-step")


async def test_nobody_and_the_exchange_have_no_place_here(exchange: Exchange) -> None:
    """An unknown participant is unknown; the exchange's own key is not replaced over the open way."""
    province = await exchange.admit()
    said, signers = replace(province, "node")
    stranger = said.model_copy(update={"participant": "p-aaaaaaaaaaaa"})
    nobody = said.model_copy(update={"participant": None})

    assert code(await hand_in(exchange, stranger, signers)) == (404, "unknown-member")
    assert code(await hand_in(exchange, nobody, signers)) == (400, "wrong-key-rotation")
    own = revocation(province, "node").model_copy(update={"participant": None})
    assert code(await hand_in(exchange, own, signers)) == (400, "key-not-revocable")


async def test_a_witness_goes_on_under_its_new_key(exchange: Exchange) -> None:
    """After a rotation the exchange asks for, verifies and publishes the new key's cosignature."""
    witnesses = [await exchange.admit() for _ in range(2)]
    cosigning = Cosigning(exchange.parts)
    async with Serving(*witnesses):
        await cosigning.round()
        await cosigning.settle()
    await rotate(witnesses[0], "witness")
    witnesses[0].state = None  # it has lost its memory, which is why it has another key
    async with Serving(*witnesses):
        await cosigning.round()
        await cosigning.settle()

    published = parse_note(exchange.parts.log.cosigned() or b"")
    keys = [witness.cosigner.verifier_key for witness in witnesses]
    assert [key for key, _ in published.verified(keys)] == keys or len(published.verified(keys)) == 2
    assert Checkpoint.parse(published.text).size == exchange.parts.log.size()


async def test_the_place_of_a_key_change_is_proved(exchange: Exchange) -> None:
    """A member is shown the entry of a logged statement with its path; an unknown digest is not found."""
    province = await exchange.admit()
    said, signers = replace(province, "sealing")
    await hand_in(exchange, said, signers)

    answer = await province.http.get(f"/log/statements/{said.content_digest()}")

    shown = Inclusion.parse(answer.content)
    past = (await member(exchange, province)).past_keys[0]
    assert shown.index == past.until.size
    unknown = await province.http.get("/log/statements/sha256:" + "0" * 64)
    assert code(unknown) == (404, "statement-not-logged")
    assert (await exchange.http.get(f"/log/statements/{said.content_digest()}")).status_code == 401
