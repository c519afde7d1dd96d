"""A key that ended counts for what the log held by then, and for nothing else."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import Cosigner
from audit.formats.merkle import leaf_hash
from audit.formats.note import NoteSigner, format_note
from audit.formats.proof import TlogProof
from audit.formats.quorum import QuorumMissing
from audit.keys.signing import SigningKey
from audit.keys.trust import TrustedKey, TrustedLog, TrustedParticipant, TrustedWitness, TrustRoot
from audit.keys.trust_file import TrustFile
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from audit.proofs.doubts import WITNESSES_REPLACED
from audit.proofs.transfer_proof import ProvenEntry
from audit.proofs.verify import TransferNotProven, Verdict, verify_transfer
from contracts.canonical import Json, digest
from contracts.messages import LogPlace
from tests.audit.logs import NOW, ORIGIN, WITNESSES
from tests.audit.transfer_evidence import (
    CONSUMER,
    CONSUMER_ID,
    EXCHANGE,
    PROVIDER,
    PROVIDER_ID,
    Evidence,
    Statements,
    done_fields,
    evidence,
    seal,
    trust_root,
)

Why = Literal["rotated", "revoked"]
NEW = SigningKey.from_seed(bytes([60]) * 32)
NEXT_ORIGIN = "audit.alliance.example/2026h2"
NEXT_LOG = NoteSigner(NEXT_ORIGIN, SigningKey.from_seed(bytes([61]) * 32))
SECOND = Cosigner("witness-0.example/w2", SigningKey.from_seed(bytes([62]) * 32))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Give the evidence of one transfer: granted at index 2, closed at index 4, under size 8."""
    return evidence(tmp_path_factory.mktemp("transfer"))


def _ended(key: SigningKey, size: int, why: Why = "rotated") -> list[TrustedKey]:
    end = LogPlace(origin=ORIGIN, size=size)
    return [TrustedKey(key=key.public.text, until=end, why=why), TrustedKey(key=NEW.public.text)]


def _with(participant: str, **changes: object) -> list[TrustedParticipant]:
    return [
        one.model_copy(update=changes) if one.participant == participant else one
        for one in trust_root().participants
    ]


def _verify(proof: bytes, **changes: object) -> Verdict:
    root = trust_root(**changes).checked()
    return verify_transfer(proof, None, TrustFile.of(None, root), now=NOW)


def _step(proof: bytes, **changes: object) -> object:
    with pytest.raises(TransferNotProven) as caught:
        _verify(proof, **changes)
    return caught.value.facts["step"]


@pytest.mark.parametrize("who", [(PROVIDER_ID, PROVIDER), (CONSUMER_ID, CONSUMER)])
@pytest.mark.parametrize("size", [3, 4, 5, 8])
def test_a_rotation_after_the_grant_changes_nothing(
    whole: Evidence, who: tuple[str, SigningKey], size: int
) -> None:
    """The grant binds both sides to their keys of that moment: what they sign with them still closes it."""
    assert _verify(whole.proof(), participants=_with(who[0], node_keys=_ended(who[1], size))).grant_index == 2


@pytest.mark.parametrize("who", [(PROVIDER_ID, PROVIDER), (CONSUMER_ID, CONSUMER)])
def test_a_key_that_was_replaced_before_the_grant_signs_no_terms(
    whole: Evidence, who: tuple[str, SigningKey]
) -> None:
    """Terms by an ended key need a place in the log before its end, and the grant's comes too late."""
    assert _step(whole.proof(), participants=_with(who[0], node_keys=_ended(who[1], 2))) == 6


@pytest.mark.parametrize(("size", "step"), [(2, 6), (3, 7), (4, 7)])
def test_a_revoked_key_closes_nothing_afterwards(whole: Evidence, size: int, step: int) -> None:
    """A thief is bound to nothing: a receipt by a revoked key must have been logged before."""
    ended = _with(PROVIDER_ID, node_keys=_ended(PROVIDER, size, "revoked"))

    assert _step(whole.proof(), participants=ended) == step


def test_a_revoked_key_counts_for_what_was_logged_before(whole: Evidence) -> None:
    """What was closed before the revocation stays proven."""
    ended = _with(PROVIDER_ID, node_keys=_ended(PROVIDER, 5, "revoked"))

    assert _verify(whole.proof(), participants=ended).done_index == 4


def test_the_exchange_signs_grants_with_the_key_of_the_moment(whole: Evidence) -> None:
    """A grant by the exchange's former key counts where it was logged before the rotation, and only there."""
    assert _verify(whole.proof(), statement_keys=_ended(EXCHANGE, 3)).grant_index == 2
    assert _step(whole.proof(), statement_keys=_ended(EXCHANGE, 2)) == 5


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Give a transfer whose release and record were logged, at 0 and 1, before the provider's new key."""

    def early(unit: Unit, told: Statements) -> None:
        base: dict[str, Json] = {"part": PROVIDER_ID, "dsc": digest("dataset")}
        published: dict[str, Json] = base | {"n": 3, "man": told.manifest.content_digest(), "prev": None}
        declared: dict[str, Json] = base | {"n": 1, "dig": told.record.content_digest()}
        unit.append(Entry(EntryKind.RELEASE_PUBLISH, unit.now, published))
        unit.append(Entry(EntryKind.DATASET_PUBLISH, unit.now, declared))

    found = evidence(tmp_path_factory.mktemp("mixed"), early=early)
    signed = {
        "agreement": seal(found.statements.agreement, NEW, CONSUMER),
        "provider_receipt": seal(found.statements.given, NEW),
    }
    return replace(found, signed={**found.signed, **signed})


def test_terms_prove_their_own_place(mixed: Evidence) -> None:
    """Release and record by a former key are proven by their own entries, logged before its end."""
    ended = _with(PROVIDER_ID, node_keys=_ended(PROVIDER, 2))
    proof = replace(mixed, terms={"manifest": mixed.early[0], "record": mixed.early[1]}).proof()

    assert _verify(proof, participants=ended).release == 3
    assert _step(mixed.proof(), participants=ended) == 6
    assert _step(replace(mixed, terms={"manifest": mixed.early[0]}).proof(), participants=ended) == 6


@pytest.mark.parametrize("terms", [{"manifest": 1}, {"record": 0}, {"agreement": 0}])
def test_the_place_of_another_statement_proves_nothing(mixed: Evidence, terms: dict[str, int]) -> None:
    """An entry of another kind, or about another statement, stands in for no term."""
    ended = _with(PROVIDER_ID, node_keys=_ended(PROVIDER, 2))
    proof = replace(mixed, terms={name: mixed.early[at] for name, at in terms.items()}).proof()  # type: ignore[misc]  # names are terms

    assert _step(proof, participants=ended) == 6


def test_a_term_entry_outside_the_log_is_refused(mixed: Evidence) -> None:
    """The entry of a term is proven like any other."""
    moved = replace(mixed.early[0], proof=replace(mixed.early[0].proof, index=1))

    assert _step(replace(mixed, terms={"manifest": moved}).proof()) == 6


def test_a_grant_for_a_key_that_was_not_the_consumers_is_refused(whole: Evidence) -> None:
    """The key that a grant is bound to is one that the consumer had at that place in the log."""
    agreement = seal(whole.statements.agreement, PROVIDER, NEW)
    taken = seal(whole.statements.taken, NEW)
    ended = _with(CONSUMER_ID, node_keys=_ended(CONSUMER, 2))

    assert _step(whole.proof(agreement=agreement, consumer_receipt=taken), participants=ended) == 6


def _witnesses(size: int) -> list[TrustedParticipant]:
    end = LogPlace(origin=ORIGIN, size=size)
    keys = [
        TrustedWitness(vkey=str(WITNESSES[0].verifier_key), until=end, why="rotated"),
        TrustedWitness(vkey=str(SECOND.verifier_key)),
    ]
    return _with(PROVIDER_ID, witness_keys=keys)


def test_a_former_witness_key_counts_up_to_its_end(whole: Evidence) -> None:
    """Old checkpoints keep their cosignatures, and the verdict says that the quorum leans on a former key."""
    verdict = _verify(whole.proof(), participants=_witnesses(8))

    assert WITNESSES_REPLACED in verdict.not_proven
    with pytest.raises(QuorumMissing):
        _verify(whole.proof(), participants=_witnesses(7))


def test_two_keys_of_one_witness_count_once() -> None:
    """The quorum counts participants: a witness that signs with its former and its new key is one."""
    root = trust_root(participants=_witnesses(8), quorum=2).checked()
    policy = root.policy_at(ORIGIN, 8)
    first, second = f"{PROVIDER_ID}/1", f"{PROVIDER_ID}/2"

    assert not policy.satisfied_by({first, second})
    assert policy.satisfied_by({second, CONSUMER_ID})
    assert root.policy_at(ORIGIN, 9).witnesses.keys() == {PROVIDER_ID, CONSUMER_ID, "p-thirdxxxxxxx"}


def _in_next_shard(whole: Evidence, **fields: str | int) -> Evidence:
    """Close the transfer as the first entry of the next shard."""
    values = {**done_fields(whole.statements), "prev": digest("grant"), **fields}
    leaf = Entry(EntryKind.DONE, NOW, values).encode()
    text = str(Checkpoint(NEXT_ORIGIN, 1, leaf_hash(leaf)))
    lines = [NEXT_LOG.sign(text), *(witness.cosign(text, NOW) for witness in WITNESSES[:2])]
    return replace(whole, done=ProvenEntry(leaf, TlogProof(0, (), format_note(text, lines))))


def _two_shards() -> list[TrustedLog]:
    return [*trust_root().logs, TrustedLog(origin=NEXT_ORIGIN, vkey=str(NEXT_LOG.verifier_key))]


def test_a_transfer_that_closes_in_the_next_shard_is_proven(whole: Evidence) -> None:
    """Each entry stands under a checkpoint of its own shard, and the closing one names the grant's."""
    verdict = _verify(_in_next_shard(whole, gsh=ORIGIN).proof(), logs=_two_shards())

    assert (verdict.grant_index, verdict.done_index, verdict.log_size) == (2, 0, 1)


def test_the_shard_of_the_grant_is_named_exactly_where_it_is_another(whole: Evidence, tmp_path: Path) -> None:
    """A closing entry that leaves the shard out, names another, or names its own closes nothing."""
    assert _step(_in_next_shard(whole).proof(), logs=_two_shards()) == 4
    assert _step(_in_next_shard(whole, gsh=NEXT_ORIGIN).proof(), logs=_two_shards()) == 4
    assert _step(evidence(tmp_path, done={"gsh": ORIGIN}).proof()) == 4


def test_a_shard_that_the_root_does_not_name_is_refused(whole: Evidence) -> None:
    """A checkpoint of an unknown shard fails, whoever cosigned it."""
    assert _step(_in_next_shard(whole, gsh=ORIGIN).proof()) == 2


def test_everything_in_an_earlier_shard_lies_before_a_later_place() -> None:
    """Places are ordered by shard first, then by size."""
    root: TrustRoot = trust_root(logs=_two_shards())
    later, earlier = LogPlace(origin=NEXT_ORIGIN, size=0), LogPlace(origin=ORIGIN, size=5)

    assert root.covers(later, ORIGIN, 1_000_000)
    assert not root.covers(later, NEXT_ORIGIN, 1)
    assert not root.covers(earlier, NEXT_ORIGIN, 1)
    assert root.covers(None, NEXT_ORIGIN, 1)
