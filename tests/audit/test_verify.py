"""A transfer is proven by its file and a trust root alone, and each broken link is named by its step."""

import gzip
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.dsse import Envelope
from audit.formats.merkle import ProofInvalid
from audit.formats.packed import pack
from audit.formats.quorum import QuorumMissing
from audit.keys.trust import TrustedKey, UnknownParticipant
from audit.keys.trust_file import TrustFile
from audit.proofs.doubts import CLOSED_LATE, DATA_NOT_SHOWN
from audit.proofs.verify import TransferNotProven, Verdict, verify_transfer
from contracts.canonical import Json, canonical_bytes, digest, parse_canonical
from contracts.messages import ReceiptRole, Statement
from tests.audit.logs import NOW, WITNESSES
from tests.audit.transfer_evidence import (
    CONSUMER,
    DATA,
    EXCHANGE,
    PROVIDER,
    STRANGER,
    Evidence,
    content,
    evidence,
    seal,
    statements,
    trust,
    trust_root,
    with_checkpoint,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Give the evidence of one sound transfer."""
    return evidence(tmp_path_factory.mktemp("transfer"))


def _verify(proof: bytes, data: bytes | None = None, trust_file: TrustFile | None = None) -> Verdict:
    return verify_transfer(proof, None if data is None else io.BytesIO(data), trust_file or trust(), now=NOW)


def _step(proof: bytes, data: bytes | None = None, trust_file: TrustFile | None = None) -> object:
    with pytest.raises(TransferNotProven) as caught:
        _verify(proof, data, trust_file)
    return caught.value.facts["step"]


def test_a_sound_transfer_is_proven(whole: Evidence) -> None:
    """The verdict names both sides, the moments, the witnesses, the size and what was redacted."""
    verdict = _verify(whole.proof(), DATA)

    assert (verdict.provider.name.zh, verdict.consumer.name.en) == ("甲省", "Province B")
    assert (verdict.dataset, verdict.release, verdict.purpose) == ("air-quality", 3, "joint-forecast")
    assert (verdict.granted_at, verdict.done_at, verdict.cosigned_at) == (NOW, NOW, NOW)
    assert verdict.witnesses == tuple(witness.name for witness in WITNESSES[:2])
    assert (verdict.grant_index, verdict.done_index, verdict.log_size) == (2, 4, 8)
    assert (verdict.size_bytes, verdict.sha256) == (len(DATA), content().sha256)
    assert (verdict.redacted, verdict.data_checked) == (("operator",), True)
    assert DATA_NOT_SHOWN not in verdict.not_proven


def test_without_the_data_the_verdict_says_so(whole: Evidence) -> None:
    """The proof holds without the data, and what it then does not prove is said."""
    verdict = _verify(whole.proof())

    assert verdict.data_checked is False
    assert DATA_NOT_SHOWN in verdict.not_proven


def test_a_late_closing_is_said(tmp_path: Path) -> None:
    """A transfer that was closed late is proven, and its lateness is among what is not proven in time."""
    verdict = _verify(evidence(tmp_path, done={"late": True}).proof())

    assert CLOSED_LATE in verdict.not_proven


@pytest.mark.parametrize(
    "raw", [b"", b"{}", pack(b"[]"), pack(b"\xff"), pack(b'{"type":"headwaters-transfer-proof/v2"}')]
)
def test_another_file_fails_step_1(raw: bytes) -> None:
    """A file of another shape is refused at once."""
    assert _step(raw) == 1


def _plain(proof: bytes) -> dict[str, Json]:
    value = parse_canonical(gzip.decompress(proof))
    assert isinstance(value, dict)
    return value


def test_an_unknown_field_fails_step_1(whole: Evidence) -> None:
    """A field that nobody checks has no place in a proof."""
    value = _plain(whole.proof())

    assert _step(pack(canonical_bytes({**value, "trust": "me"}))) == 1


def test_entries_of_another_kind_fail_step_1(whole: Evidence) -> None:
    """The two entries cannot stand in for one another."""
    assert _step(replace(whole, done=whole.grant, grant=whole.done).proof()) == 1


def test_too_few_witnesses_decide_nothing(tmp_path: Path) -> None:
    """One witness where two are asked for is neither yes nor no, and the exit code is 2."""
    proof = evidence(tmp_path, witnesses=1).proof()

    with pytest.raises(QuorumMissing) as caught:
        _verify(proof)

    assert caught.value.exit_code == 2


def test_witnesses_from_the_future_decide_nothing(whole: Evidence) -> None:
    """Cosignatures later than now do not count."""
    with pytest.raises(QuorumMissing):
        verify_transfer(whole.proof(), None, trust(), now=NOW - timedelta(minutes=1))


def test_a_checkpoint_by_another_log_fails_step_2(whole: Evidence) -> None:
    """A checkpoint that the trusted log key did not sign is refused, for either entry."""
    note = whole.done.proof.checkpoint_note
    forged = note.replace(b"\n8\n", b"\n9\n")

    assert _step(replace(whole, done=with_checkpoint(whole.done, forged)).proof()) == 2
    assert _step(replace(whole, grant=with_checkpoint(whole.grant, forged)).proof()) == 2


def test_an_entry_outside_the_log_fails_its_step(whole: Evidence) -> None:
    """A changed leaf, or a leaf at another index, is not in the log."""
    leaf = whole.done.leaf.replace(b'"late":false', b'"late":true')
    changed = replace(whole.done, leaf=leaf)
    moved = replace(whole.grant, proof=replace(whole.grant.proof, index=3))

    assert _step(replace(whole, done=changed).proof()) == 3
    assert _step(replace(whole, grant=moved).proof()) == 4


@pytest.mark.parametrize(
    "fields", [{"gidx": 3}, {"seq": 2}, {"gid": "g-zzzzzzzzzzzz"}, {"sub": "s-zzzzzzzzzzzz"}]
)
def test_a_closing_of_another_grant_fails_step_4(tmp_path: Path, fields: dict[str, str | int | bool]) -> None:
    """The closing entry names this grant's index, id, subscription and number."""
    assert _step(evidence(tmp_path, done=fields).proof()) == 4


@pytest.mark.parametrize(
    "name", ["ckey", "man", "agr", "rec", "obl", "pol", "dec", "dsc", "pur", "exp", "ev", "prov", "cons"]
)
def test_a_logged_grant_that_says_otherwise_fails_step_5(tmp_path: Path, name: str) -> None:
    """Every field of the logged grant is the signed grant's, commitments opened with its salt."""
    other: dict[str, str | int] = {
        "ckey": STRANGER.public.text,
        "dec": "c-zzzzzzzzzzzz",
        "exp": 1,
        "prov": "p-zzzzzzzzzzzz",
        "cons": "p-zzzzzzzzzzzz",
    }

    assert _step(evidence(tmp_path, granted={name: other.get(name, digest("other"))}).proof()) == 5


@pytest.mark.parametrize(
    ("name", "keys", "step"),
    [
        ("grant", [PROVIDER], 5),
        ("manifest", [EXCHANGE], 6),
        ("record", [CONSUMER], 6),
        ("agreement", [PROVIDER], 6),
        ("agreement", [CONSUMER, STRANGER], 6),
        ("provider_receipt", [CONSUMER], 7),
        ("consumer_receipt", [PROVIDER], 7),
        ("consumer_receipt", [STRANGER], 7),
    ],
)
def test_a_statement_by_the_wrong_hand_fails(
    whole: Evidence, name: str, keys: list[object], step: int
) -> None:
    """Each statement is signed by the parties whose word it is, with the keys of the trust root."""
    told = whole.statements
    statement: Statement = {
        "grant": told.grant,
        "manifest": told.manifest,
        "record": told.record,
        "agreement": told.agreement,
        "provider_receipt": told.given,
        "consumer_receipt": told.taken,
    }[name]

    assert _step(whole.proof(**{name: seal(statement, *keys)})) == step  # type: ignore[arg-type]  # parametrized


def _changed(statement: Statement, **fields: object) -> Statement:
    return statement.model_copy(update=fields)


@pytest.mark.parametrize(
    ("name", "exchange", "step"),
    [
        ("grant", lambda told: seal(_changed(told.grant, decision="c-zzzzzzzzzzzz"), EXCHANGE), 5),
        ("grant", lambda told: seal(told.manifest, EXCHANGE), 5),
        ("manifest", lambda told: seal(_changed(told.manifest, number=4), PROVIDER), 6),
        ("record", lambda told: seal(_changed(told.record, number=2), PROVIDER), 6),
        ("agreement", lambda told: seal(_changed(told.agreement, purpose="other"), PROVIDER, CONSUMER), 6),
        ("provider_receipt", lambda told: seal(_changed(told.given, view_rows=1), PROVIDER), 7),
        ("consumer_receipt", lambda told: seal(_changed(told.taken, view_rows=1), CONSUMER), 7),
    ],
)
def test_a_statement_exchanged_afterwards_fails(
    whole: Evidence, name: str, exchange: Callable[[object], Envelope], step: int
) -> None:
    """A statement that was signed anew, with other words, is not the one that was logged."""
    assert _step(whole.proof(**{name: exchange(whole.statements)})) == step


@pytest.mark.parametrize(
    ("given_fields", "taken_fields"),
    [
        ({"role": ReceiptRole.CONSUMER}, {}),
        ({}, {"role": ReceiptRole.PROVIDER}),
        ({"participant": "p-consumerxxxx"}, {}),
        ({}, {"participant": "p-providerxxxx"}),
        ({"grant": "g-zzzzzzzzzzzz"}, {"grant": "g-zzzzzzzzzzzz"}),
        ({"grant_index": 3}, {"grant_index": 3}),
        ({"manifest": digest("x")}, {"manifest": digest("x")}),
        ({"obligations": digest("x")}, {"obligations": digest("x")}),
        ({}, {"view_sha256": digest("x")}),
        ({}, {"redacted": ["other"]}),
        ({}, {"view_rows": 3}),
    ],
)
def test_receipts_that_disagree_fail_step_7(
    tmp_path: Path, given_fields: dict[str, object], taken_fields: dict[str, object]
) -> None:
    """Even when they are logged, receipts must be of this grant, of their parties, and of one view."""
    told = statements()
    told = replace(
        told,
        given=told.given.model_copy(update=given_fields),
        taken=told.taken.model_copy(update=taken_fields),
    )

    assert _step(evidence(tmp_path, told).proof()) == 7


@pytest.mark.parametrize(
    "fields", [{"len": 1}, {"cc": digest("x")}, {"pr": digest("x")}, {"cr": digest("x")}]
)
def test_a_closing_with_other_content_fails_step_7(
    tmp_path: Path, fields: dict[str, str | int | bool]
) -> None:
    """The closing entry's length, content commitment and receipt digests are those of the receipts."""
    assert _step(evidence(tmp_path, done=fields).proof()) == 7


def test_a_grant_outside_the_agreement_fails_step_6(tmp_path: Path) -> None:
    """A grant that was issued after the agreement's end proves nothing."""
    told = statements()
    ended = told.agreement.model_copy(update={"expires_at": NOW})
    grant = told.grant.model_copy(update={"agreement_digest": ended.content_digest()})

    assert _step(evidence(tmp_path, replace(told, agreement=ended, grant=grant)).proof()) == 6


@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA + b"\n", b"X" + DATA[1:]])
def test_other_data_fails_step_8(whole: Evidence, data: bytes) -> None:
    """Data that differs by a byte is not what the receipts name."""
    assert _step(whole.proof(), data) == 8


def test_a_trust_root_without_a_party_decides_nothing(tmp_path: Path) -> None:
    """Where the trust root does not name a party, the answer is neither yes nor no."""
    proof = evidence(tmp_path, witnesses=3).proof()
    less = TrustFile.of(None, trust_root(participants=trust_root().participants[::2]))

    with pytest.raises(UnknownParticipant):
        _verify(proof, trust_file=less)


def test_keys_of_another_alliance_prove_nothing(whole: Evidence) -> None:
    """Under another exchange's key the same file is refused."""
    other = trust(statement_keys=[TrustedKey(key=STRANGER.public.text)])

    assert _step(whole.proof(), trust_file=other) == 5


@given(data=st.data())
def test_a_flipped_bit_is_never_accepted(whole: Evidence, data: st.DataObject) -> None:
    """Whatever single bit of the file is changed, it is refused as another file, whole."""
    proof = whole.proof()
    at = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = proof[:at] + bytes([proof[at] ^ (1 << bit)]) + proof[at + 1 :]

    assert _step(changed) == 1


@given(data=st.data())
def test_a_flipped_bit_that_is_packed_again_changes_no_verdict(whole: Evidence, data: st.DataObject) -> None:
    """Packed again with a good digest, a proof with another bit is refused, or says exactly what it said.

    Only what nobody's key vouches for can differ and still pass: the line of a witness that nobody knows.
    """
    plain = gzip.decompress(whole.proof())
    at = data.draw(st.integers(0, len(plain) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = plain[:at] + bytes([plain[at] ^ (1 << bit)]) + plain[at + 1 :]

    try:
        verdict = _verify(pack(changed))
    except (ProofInvalid, QuorumMissing):
        return
    assert replace(verdict, witnesses=()) == replace(_verify(whole.proof()), witnesses=())
