"""The trust file is whole, and what it says of the provinces' signatures is verified."""

from pathlib import Path

import pytest

from audit.keys.signing import SigningKey
from audit.keys.trust import TrustRootInvalid
from audit.keys.trust_file import RootSignature, SignedRoot, TrustFile, TrustRootMissing, TrustRootUnsigned
from contracts.canonical import Json, canonical_bytes, parse_canonical
from contracts.messages import Text
from tests.audit.logs import NOW
from tests.audit.transfer_evidence import (
    CONSUMER_ID,
    PROVIDER_ID,
    ROOT_KEYS,
    STRANGER,
    THIRD_ID,
    signed_root,
    trust,
    trust_root,
)


def _with(file: TrustFile, **fields: Json) -> bytes:
    """Change the file's fields and give it a digest that fits."""
    value = parse_canonical(file.canonical())
    assert isinstance(value, dict)
    changed = TrustFile.parse(canonical_bytes({**value, **fields}))
    return changed.model_copy(update={"digest": changed.expected_digest()}).canonical()


def test_a_signed_file_says_who_signed(tmp_path: Path) -> None:
    """What is written is read back, with the signers, and the node's own view is what is judged by."""
    own = trust_root(number=1, issued_at=NOW)
    path = tmp_path / "trust.json"
    path.write_bytes(TrustFile.of(signed_root(signers=3), own).canonical())

    file = TrustFile.load(path)

    assert file.signers == (CONSUMER_ID, PROVIDER_ID, THIRD_ID)
    assert file.root == own
    assert file.unsigned([own.logs[0].vkey, STRANGER.public.text]) == (STRANGER.public.text,)


def test_an_unsigned_file_says_that_nobody_signed() -> None:
    """A node's own pins make a root under which nothing is signed by provinces."""
    file = TrustFile.read(trust().canonical())

    assert (file.signers, file.signed_root) == ((), None)
    assert file.unsigned(["any"]) == ("any",)


def test_a_missing_file_decides_nothing(tmp_path: Path) -> None:
    """Without a trust root the answer is neither yes nor no."""
    with pytest.raises(TrustRootMissing) as caught:
        TrustFile.load(tmp_path / "none.json")

    assert caught.value.exit_code == 2


def test_every_flipped_bit_is_refused() -> None:
    """No bit of a trust file can change unnoticed, names of participants included."""
    raw = TrustFile.of(signed_root(), trust_root(number=1)).canonical()
    for at in range(len(raw)):
        with pytest.raises(TrustRootInvalid):
            TrustFile.read(raw[:at] + bytes([raw[at] ^ (1 << (at % 8))]) + raw[at + 1 :])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b" " * (4 * 1024 * 1024 + 1),
        trust().canonical() + b"\n",
        _with(trust(), signatures=[one.model_dump() for one in signed_root().signatures]),
        _with(TrustFile.of(signed_root(), None), signatures=[]),
        _with(TrustFile.of(signed_root(signers=1), None)),
        _with(TrustFile.of(signed_root(), trust_root(number=1, quorum=1))),
        _with(
            TrustFile.of(
                signed_root(), trust_root(number=1, participants=trust_root().participants[::-1][:2])
            )
        ),
    ],
)
def test_a_malformed_file_is_refused(raw: bytes) -> None:
    """Other spellings, signatures over nothing or too few, and a view that contradicts what was signed."""
    with pytest.raises(TrustRootInvalid):
        TrustFile.read(raw)


def test_a_file_without_any_root_is_refused() -> None:
    """There is a root in a trust file."""
    with pytest.raises(TrustRootInvalid):
        TrustFile.read(TrustFile.of(None, None).canonical())


def test_a_forged_signature_condemns_the_root() -> None:
    """One signature that does not hold is enough, even beside sufficient good ones."""
    good = signed_root(signers=3)
    forged = good.signatures[0].model_copy(update={"sig": good.signatures[1].sig})

    with pytest.raises(TrustRootInvalid):
        SignedRoot.read(good.with_signatures([forged]).canonical())


@pytest.mark.parametrize("sig", ["!", "AAAA", "AB=="])
def test_a_signature_in_another_spelling_is_refused(sig: str) -> None:
    """A signature is the one base64 spelling of 64 bytes."""
    bad = RootSignature(participant=THIRD_ID, key=ROOT_KEYS[2].public.text, sig=sig)

    with pytest.raises(TrustRootInvalid):
        signed_root().with_signatures([bad]).checked()


def test_signatures_stand_in_their_order() -> None:
    """Signatures in another order, or one of them twice, are another file."""
    good = signed_root()

    for lines in (good.signatures[::-1], [good.signatures[0], *good.signatures]):
        with pytest.raises(TrustRootInvalid):
            SignedRoot(signatures=lines, signed=good.signed).checked()


def test_a_strangers_signature_counts_for_nothing() -> None:
    """Who signs is decided by the root keys that the root names, and by participant and key together."""
    stranger = signed_root(signers=1).with_signature(CONSUMER_ID, STRANGER)
    borrowed = signed_root(signers=1).with_signature(CONSUMER_ID, ROOT_KEYS[2])

    for root in (stranger, borrowed):
        assert root.checked().signers() == (PROVIDER_ID,)
        with pytest.raises(TrustRootUnsigned) as caught:
            root.require_signed(None)
        assert caught.value.exit_code == 2


NEW_KEYS = [SigningKey.from_seed(bytes([70 + number]) * 32) for number in range(3)]


def _second(**changes: object) -> SignedRoot:
    """Give a second root in which every root key is new; nobody has signed it."""
    first = signed_root()
    parties = [
        one.model_copy(update={"root_key": key.public.text})
        for one, key in zip(first.signed.participants, NEW_KEYS, strict=True)
    ]
    fields = {"number": 2, "previous": first.digest, "participants": parties, **changes}
    return SignedRoot(signatures=[], signed=trust_root(**fields))


def test_a_root_is_signed_by_its_own_keys_and_by_those_before() -> None:
    """As in TUF: enough keys of the root before hand over to enough new ones; neither alone is enough."""
    first, both = signed_root().signed, _second()
    for one, old, new in zip(both.signed.participants[:2], ROOT_KEYS, NEW_KEYS, strict=False):
        both = both.with_signature(one.participant, old).with_signature(one.participant, new)
    old_only = [one for one in both.signatures if one.key in {key.public.text for key in ROOT_KEYS}]
    new_only = [one for one in both.signatures if one not in old_only]

    assert both.checked().require_signed(first) == (CONSUMER_ID, PROVIDER_ID)
    for lines in (old_only, new_only, new_only + old_only[:1]):
        with pytest.raises(TrustRootUnsigned):
            _second().with_signatures(lines).require_signed(first)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 3},
        {"number": 1, "previous": None},
        {"previous": signed_root(threshold=3).digest},
    ],
)
def test_a_root_follows_the_one_before(changes: dict[str, object]) -> None:
    """A root that skips a number, repeats one, or names another predecessor follows nothing."""
    with pytest.raises(TrustRootInvalid):
        _second(**changes).require_signed(signed_root().signed)


def test_number_0_is_for_nobody_to_sign() -> None:
    """What one node pinned is no root of the provinces."""
    with pytest.raises(TrustRootInvalid):
        signed_root(number=0).require_signed(None)


def test_the_same_key_signs_once() -> None:
    """Signing again changes nothing."""
    once = signed_root()

    assert once.with_signature(PROVIDER_ID, ROOT_KEYS[0]) == once


def test_a_name_is_part_of_what_is_signed() -> None:
    """Nobody can give a province another name under its signatures."""
    named = signed_root().signed.participants[0].model_copy(update={"name": Text(zh="别省", en="X")})
    parties = [named, *signed_root().signed.participants[1:]]
    changed = signed_root().signed.model_copy(update={"participants": parties})

    with pytest.raises(TrustRootInvalid):
        SignedRoot(signatures=signed_root().signatures, signed=changed).checked()
