"""Key histories: who has to sign a change of keys, and which chains of changes hold together."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.formats.cosignature import Cosigner
from audit.formats.dsse import sign
from audit.keys.key_history import (
    KeyChainBroken,
    NotRevocable,
    PartyKeys,
    WrongRotation,
    check_history,
    check_revocation,
    check_rotation,
    check_statement_keys,
    is_below,
    key_id_of,
    revoked_keys,
)
from audit.keys.signing import KeyInvalid, PublicKey, SealingKey, SignatureInvalid, SigningKey
from contracts.canonical import NotCanonical
from contracts.errors import HeadwatersError
from contracts.messages import (
    BadMessage,
    KeyRevocation,
    KeyRole,
    KeyRotation,
    LogPlace,
    PastKey,
)
from tests.audit.key_parties import AT, EXCHANGE, KNOWN, NAME, ORIGIN, Party, revocation, rotation

# --- who signs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_node_key_is_replaced_by_old_and_new_together(lacking: int) -> None:
    """Without the old key anybody could take the name, without the new one a key that nobody holds."""
    party, new = Party(), SigningKey.generate()
    both = [new, party.node]
    text = rotation("node", party.node.public.text, new.public.text, both)
    check_rotation(text, party.keys(), frozenset())

    text = rotation("node", party.node.public.text, new.public.text, both[lacking : lacking + 1])
    with pytest.raises(SignatureInvalid):
        check_rotation(text, party.keys(), frozenset())


@pytest.mark.parametrize("lacking", ["old", "new", "node"])
def test_a_witness_key_is_replaced_by_three(lacking: str) -> None:
    """The witness's old and new key sign, and the participant's node key."""
    party, new = Party(), SigningKey.generate()
    vkey = str(Cosigner(f"{ORIGIN}/{NAME}/w2", new).verifier_key)
    three = {"old": party.witness, "new": new, "node": party.node}
    old = str(party.pen.verifier_key)
    check_rotation(rotation("witness", old, vkey, list(three.values())), party.keys(), frozenset())

    del three[lacking]
    with pytest.raises(SignatureInvalid):
        check_rotation(rotation("witness", old, vkey, list(three.values())), party.keys(), frozenset())


def test_a_sealing_key_is_replaced_by_the_node_key() -> None:
    """A sealing key cannot sign, so the node key alone vouches for the next one; a stranger does not."""
    party, new = Party(), SealingKey.generate()
    text = rotation("sealing", party.sealing.public_text, new.public_text, [party.node])
    check_rotation(text, party.keys(), frozenset())

    text = rotation("sealing", party.sealing.public_text, new.public_text, [SigningKey.generate()])
    with pytest.raises(SignatureInvalid):
        check_rotation(text, party.keys(), frozenset())


@pytest.mark.parametrize("role", ["node", "witness", "sealing"])
def test_the_root_key_signs_in_the_place_of_lost_keys(role: KeyRole) -> None:
    """What a participant lost, its root key replaces; the new key signs too where it can."""
    party = Party()
    before = party.keys()

    check_rotation(party.rotate(role, by_root=True), before, frozenset())


def test_a_revoked_node_key_vouches_for_nothing() -> None:
    """Whoever stole the key cannot replace it, nor the witness or sealing key; the root key can."""
    party = Party()
    revoked = frozenset({party.node.public.text})
    new, sealing = SigningKey.generate(), SealingKey.generate()
    old = party.node.public.text
    statements = [
        rotation("node", old, new.public.text, [new, party.node]),
        rotation("sealing", party.sealing.public_text, sealing.public_text, [party.node]),
    ]
    for text in statements:
        with pytest.raises(SignatureInvalid):
            check_rotation(text, party.keys(), revoked)

    assert party.root is not None
    check_rotation(rotation("node", old, new.public.text, [new, party.root]), party.keys(), revoked)


def test_a_revoked_key_without_a_root_key_is_final() -> None:
    """Where there is no root key, nothing can take a revoked node key's place."""
    party = Party(root=None)
    new = SealingKey.generate()
    text = rotation("sealing", party.sealing.public_text, new.public_text, [party.node])

    with pytest.raises(SignatureInvalid, match="root key"):
        check_rotation(text, party.keys(), frozenset({party.node.public.text}))


def test_a_revoked_witness_key_is_replaced_without_its_signature() -> None:
    """A witness key that was revoked signs no more; the node key and the new one are enough."""
    party, new = Party(), SigningKey.generate()
    old, vkey = str(party.pen.verifier_key), str(Cosigner(f"{ORIGIN}/{NAME}/w2", new).verifier_key)

    check_rotation(rotation("witness", old, vkey, [new, party.node]), party.keys(), frozenset({old}))


def test_a_rotation_starts_from_the_key_that_is_held() -> None:
    """Another old key, the same new one, another role's shape or the exchange's name are refused."""
    party, new = Party(), SigningKey.generate()
    stranger = SigningKey.generate()
    both = [new, party.node, stranger]
    wrong = [
        rotation("node", stranger.public.text, new.public.text, both),
        rotation("node", party.node.public.text, party.node.public.text, [party.node]),
        rotation("node", party.node.public.text, new.public.text, both, None),
        rotation("sealing", party.sealing.public_text, new.public.text, both),
        rotation("witness", str(party.pen.verifier_key), new.public.text, both),
    ]
    for text in wrong:
        with pytest.raises(WrongRotation):
            check_rotation(text, party.keys(), frozenset())


def test_a_rotation_has_one_spelling() -> None:
    """Other JSON of the same meaning, another statement's type and unknown fields are refused."""
    party, new = Party(), SigningKey.generate()
    said = KeyRotation(participant=NAME, role="node", old=party.node.public.text, new=new.public.text, at=AT)
    signers = [party.node, new]
    spaced = sign(KeyRotation.payload_type, said.canonical().replace(b":", b": ", 1), signers)
    foreign = sign(KeyRevocation.payload_type, said.canonical(), signers)
    fuller = sign(KeyRotation.payload_type, said.canonical()[:-1] + b',"z":1}', signers)

    for envelope, fault in ((spaced, NotCanonical), (foreign, HeadwatersError), (fuller, BadMessage)):
        with pytest.raises(fault):
            check_rotation(envelope.encode().decode(), party.keys(), frozenset())


@pytest.mark.parametrize("by", ["exchange", "node", "root"])
def test_a_key_is_revoked_by_the_exchange_or_its_holder(by: str) -> None:
    """One signature is enough to revoke; a stranger's is not."""
    party = Party()
    assert party.root is not None
    signer = {"exchange": EXCHANGE, "node": party.node, "root": party.root}[by]
    check_revocation(party.revoke("witness", signer), party.keys(), frozenset(), KNOWN)

    with pytest.raises(SignatureInvalid):
        check_revocation(party.revoke("node", SigningKey.generate()), party.keys(), frozenset(), KNOWN)


def test_a_revoked_node_key_revokes_nothing_more() -> None:
    """A thief whose key was revoked cannot take the witness key down with it."""
    party = Party()
    text = revocation("witness", str(party.pen.verifier_key), party.node)

    with pytest.raises(SignatureInvalid):
        check_revocation(text, party.keys(), frozenset({party.node.public.text}), {})


def test_what_cannot_be_revoked() -> None:
    """A sealing key is replaced, a key that is not held is not revoked."""
    party = Party()
    with pytest.raises(NotRevocable):
        check_revocation(
            revocation("sealing", party.sealing.public_text, EXCHANGE), party.keys(), frozenset(), KNOWN
        )
    with pytest.raises(WrongRotation):
        check_revocation(revocation("node", EXCHANGE.public.text, EXCHANGE), party.keys(), frozenset(), KNOWN)


# --- chains ---------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.sampled_from(
        ["node", "witness", "sealing", "node-by-root", "witness-by-root", "revoke-witness", "revoke-node"]
    ),
    max_size=8,
)


def _history(steps: list[str]) -> tuple[Party, list[PartyKeys]]:
    """Take the steps that a rightful holder can take; give what it held after each."""
    party = Party()
    held = [party.keys()]
    for step in steps:
        revoked = revoked_keys(party.past)
        match step:
            case "revoke-witness" if party.keys().witness not in revoked:
                party.revoke("witness", EXCHANGE)
            case "revoke-node" if party.keys().node not in revoked:
                party.revoke("node", EXCHANGE)
            case "revoke-witness" | "revoke-node":
                continue
            case "node-by-root" | "witness-by-root":
                party.rotate("node" if step == "node-by-root" else "witness", by_root=True)
            case "node" | "witness" | "sealing":
                party.rotate(step, by_root=party.keys().node in revoked)
        held.append(party.keys())
    return party, held


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_a_rightful_history_holds_and_tells_everything(steps: list[str]) -> None:
    """Whatever a holder did, the chain holds, and every state it was in stands in it, newest first."""
    party, held = _history(steps)

    assert list(check_history(party.member(), KNOWN)) == held[::-1]


@settings(max_examples=60, deadline=None)
@given(STEPS.filter(len), st.data())
def test_a_history_with_a_piece_missing_is_broken(steps: list[str], data: st.DataObject) -> None:
    """Without one of the rotations, or with a strange key at the end, it breaks."""
    party, _ = _history(steps)
    member = party.member()
    rotated = [at for at, past in enumerate(party.past) if past.why == "rotated"]
    if not rotated:
        return
    gone = data.draw(st.sampled_from(rotated))
    role = party.past[gone].role
    without = [past for at, past in enumerate(party.past) if at != gone]
    later = any(past.role == role and past.why == "rotated" for past in party.past[gone + 1 :])
    earlier = any(past.role == role for past in party.past[:gone])
    strange = {"node": "node_key", "sealing": "sealing_key", "witness": "witness_vkey"}[role]
    other = Party()
    key = other.keys().held(role)

    if later and earlier:
        with pytest.raises(KeyChainBroken):
            check_history(member.model_copy(update={"past_keys": without}), KNOWN)
    with pytest.raises(KeyChainBroken):
        check_history(member.model_copy(update={strange: key}), KNOWN)


def test_a_statement_about_another_participant_is_no_link() -> None:
    """A rotation that somebody else signed for himself does not change this participant's keys."""
    party = Party()
    party.rotate("node")
    member = party.member().model_copy(update={"participant": "p-bbbbbbbbbbbb"})

    with pytest.raises(KeyChainBroken):
        check_history(member, KNOWN)


def test_a_revocation_that_was_dropped_breaks_what_the_root_key_mended() -> None:
    """A key that followed a revoked one without its signature does not follow without the revocation."""
    party = Party()
    party.revoke("witness", EXCHANGE)
    old = party.keys()
    party.witness, party.number = SigningKey.generate(), 2
    new = str(party.pen.verifier_key)
    party.end(
        "witness",
        old.witness or "",
        "rotated",
        rotation("witness", old.witness or "", new, [party.witness, party.node]),
    )
    check_history(party.member(), KNOWN)

    with pytest.raises(KeyChainBroken):
        check_history(party.member().model_copy(update={"past_keys": party.past[1:]}), KNOWN)


# --- the exchange's statement key -----------------------------------------------------------------------


def _statement_keys(count: int) -> tuple[list[SigningKey], list[PastKey]]:
    keys = [SigningKey.generate() for _ in range(count)]
    past = []
    for at, (old, new) in enumerate(pairwise(keys)):
        text = rotation("statement", old.public.text, new.public.text, [old, new], None)
        until = LogPlace(origin=ORIGIN, size=at + 1)
        past.append(
            PastKey(role="statement", key=old.public.text, until=until, why="rotated", statement=text)
        )
    return keys, past


@pytest.mark.parametrize("pinned", [0, 1, 3])
def test_the_exchanges_keys_follow_from_the_pinned_one(pinned: int) -> None:
    """Whichever of its keys an invite pinned, the chain leads to the present one."""
    keys, past = _statement_keys(4)

    assert check_statement_keys(keys[pinned].public, past) == tuple(key.public for key in keys)


def test_the_exchanges_chain_has_no_gap_and_no_stranger() -> None:
    """A missing link, a stranger's pin, one signature only or another role breaks the chain."""
    keys, past = _statement_keys(4)
    stranger = SigningKey.generate()
    half = rotation("statement", keys[0].public.text, keys[1].public.text, [keys[0]], None)
    node = rotation("node", keys[0].public.text, keys[1].public.text, keys[:2], None)
    broken = [
        (keys[0].public, [past[0], past[2]]),
        (stranger.public, past),
        (keys[0].public, [past[0].model_copy(update={"statement": half})]),
        (keys[0].public, [past[0].model_copy(update={"statement": node})]),
        (keys[0].public, [past[0].model_copy(update={"key": stranger.public.text})]),
        (keys[0].public, [past[0].model_copy(update={"why": "revoked"})]),
    ]
    for pin, chain in broken:
        with pytest.raises(KeyChainBroken):
            check_statement_keys(pin, chain)


def test_without_changes_the_pinned_key_is_the_present_one() -> None:
    """A directory without past keys is the pinned key's."""
    assert check_statement_keys(EXCHANGE.public, []) == (EXCHANGE.public,)


# --- places ---------------------------------------------------------------------------------------------


def test_below_is_counted_within_a_shard_and_over_shards() -> None:
    """An entry below the size is below; so is every entry of an earlier shard; a strange shard is not."""
    until, shards = LogPlace(origin="b", size=5), ["a", "b", "c"]

    assert [is_below("b", index, until, shards) for index in (0, 4, 5, 6)] == [True, True, False, False]
    assert [is_below(origin, 99, until, shards) for origin in ("a", "c", "x")] == [True, False, False]


def test_keys_are_named_by_suite_and_digest() -> None:
    """Entries name keys of every role by suite and 16 hex digits; other text is no key."""
    party = Party()

    assert key_id_of("node", party.node.public.text) == party.node.key_id
    assert key_id_of("witness", str(party.pen.verifier_key)) == party.witness.key_id
    assert key_id_of("sealing", party.sealing.public_text).startswith("x25519:")
    with pytest.raises(KeyInvalid):
        key_id_of("node", "ed25519:x")
    assert PublicKey.from_text(party.node.public.text) == party.node.public
