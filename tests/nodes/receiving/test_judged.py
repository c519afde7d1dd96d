"""What a consumer refuses: grants, documents and receipts that do not fit, whoever sent them."""

from typing import Any

import pytest

from audit.keys.signing import SignatureInvalid, SigningKey
from contracts.errors import HeadwatersError
from contracts.messages import DatasetRecord, Grant, LoggedGrant, Manifest, MemberStatus, Receipt
from nodes.granted import GrantForged, GrantLeafDiffers, GrantNotLogged
from nodes.receiving.apply import AgreementUnfit, subscription_of
from nodes.receiving.judged import (
    DocumentsUnfit,
    GrantNotOurs,
    Judged,
    ReceiptUnfit,
    check_receipt,
    fetch_contract,
    judge_grant,
)
from nodes.signed import peek_statement, sign_statement
from nodes.witnessing.forks import LogForked
from tests.nodes.sharing import CONTRACT, DATASET, World, rows

DIGEST = "sha256:" + "9" * 64


def judged(world: World, logged: LoggedGrant, release: int = 1) -> Judged:
    return judge_grant(world.consumer, logged, subscription_of(world.consumer, DATASET), release)


def given_receipt(world: World, logged: LoggedGrant) -> Receipt:
    return peek_statement(world.present(logged).json()["receipt"], Receipt).statement


def test_a_good_grant_is_taken_with_its_documents(world: World) -> None:
    """Grant, manifest, record and agreement hold together."""
    found = judged(world, world.granted(world.ready()))

    assert found.manifest.statement.number == 1
    assert found.agreement.statement.consumer == world.consumer.participant


def test_a_forged_grant_is_refused(world: World) -> None:
    """Only the pinned key grants."""
    logged = world.granted(world.ready())
    grant = peek_statement(logged.grant_envelope, Grant).statement
    forged = sign_statement(grant, SigningKey.generate()).text

    with pytest.raises(GrantForged):
        judged(world, logged.model_copy(update={"grant_envelope": forged}))


def test_a_grant_that_is_not_logged_is_refused(world: World) -> None:
    """A consumer takes no unlogged data either."""
    logged = world.granted(world.ready())

    with pytest.raises(GrantNotLogged):
        judged(world, logged.model_copy(update={"index": 0}))


def test_a_grant_that_is_logged_otherwise_is_refused(world: World) -> None:
    """Grant and entry say the same."""
    subscription = world.ready()
    world.exchange.spoil_entry = {"obl": DIGEST}

    with pytest.raises(GrantLeafDiffers):
        judged(world, world.granted(subscription))


def test_a_forked_log_is_refused(world: World) -> None:
    """A checkpoint that contradicts the last one seen stops everything."""
    subscription = world.ready()
    world.consumer.trust.see_checkpoint(world.exchange.checkpoint())
    world.exchange.leaves[0] = b"\x07" * 32

    with pytest.raises(LogForked):
        judged(world, world.granted(subscription))


@pytest.mark.parametrize(
    "changes",
    [
        {"release": 2},
        {"consumer_key": SigningKey.generate().public.text},
        {"consumer": "p-222222222222"},
        {"provider": "p-222222222222"},
        {"subscription": "s-222222222222"},
    ],
)
def test_a_grant_for_something_else_is_refused(world: World, changes: dict[str, Any]) -> None:
    """The grant is bound to this node's key and to what it asked for."""
    subscription = world.ready()
    world.exchange.spoil_grant = changes

    with pytest.raises(GrantNotOurs):
        judged(world, world.granted(subscription))


def test_a_manifest_that_the_provider_did_not_sign_is_refused(world: World) -> None:
    """The exchange cannot make up a release."""
    logged = world.granted(world.ready())
    manifest = peek_statement(logged.manifest_envelope, Manifest).statement
    made_up = sign_statement(manifest, world.exchange.statement_key).text

    with pytest.raises(DocumentsUnfit):
        judged(world, logged.model_copy(update={"manifest_envelope": made_up}))


def test_a_manifest_of_another_release_is_refused(world: World) -> None:
    """The manifest is the one that the grant names."""
    subscription = world.ready()
    world.publish(rows(3, first=90), "second.ndjson")
    logged = world.granted(subscription)
    other = world.exchange.feeds[DATASET][1].manifest_envelope

    with pytest.raises(DocumentsUnfit):
        judged(world, logged.model_copy(update={"manifest_envelope": other}))


def test_another_record_is_refused(world: World) -> None:
    """The record is the one that the agreement names."""
    logged = world.granted(world.ready())
    record = peek_statement(logged.record_envelope, DatasetRecord).statement
    other = sign_statement(record.model_copy(update={"place": "x"}), world.provider.node_key).text

    with pytest.raises(DocumentsUnfit):
        judged(world, logged.model_copy(update={"record_envelope": other}))


def test_an_agreement_that_lacks_a_signature_is_refused(world: World) -> None:
    """Both sides signed, or there is no agreement."""
    logged = world.granted(world.ready())
    terms = world.exchange._agreed(next(iter(world.exchange.subscriptions.values())).agreement).statement
    half = sign_statement(terms, world.consumer.node_key).text

    with pytest.raises(AgreementUnfit):
        judged(world, logged.model_copy(update={"agreement_envelope": half}))


def test_a_provider_that_is_no_longer_active_is_refused(world: World) -> None:
    """Nothing is received from somebody who left."""
    logged = world.granted(world.ready())
    member = world.exchange.members[world.provider.participant]
    world.exchange.set_member(member.model_copy(update={"status": MemberStatus.REVOKED}))
    world.consumer.trust.refresh_directory()

    with pytest.raises(HeadwatersError, match="revoked"):
        judged(world, logged)


@pytest.mark.parametrize(
    "changes",
    [
        {"grant": "g-222222222222"},
        {"grant_index": 0},
        {"participant": "p-222222222222"},
        {"role": "consumer"},
        {"manifest": DIGEST},
        {"obligations": DIGEST},
        {"redacted": ["ph"]},
        {"view_rows": 1},
        {"view_sha256": DIGEST},
        {"view_chunk_root": DIGEST},
        {"view_size_bytes": 1},
    ],
)
def test_a_receipt_that_does_not_fit_is_refused(world: World, changes: dict[str, Any]) -> None:
    """The provider's receipt is about this grant and this release, or the data is not taken."""
    logged = world.granted(world.ready())
    receipt = Receipt.model_validate(given_receipt(world, logged).model_dump() | changes, strict=False)
    altered = sign_statement(receipt, world.provider.node_key).text

    with pytest.raises(ReceiptUnfit):
        check_receipt(world.consumer, judged(world, logged), altered)


def test_a_receipt_by_somebody_else_is_refused(world: World) -> None:
    """Only the provider's key speaks for the provider."""
    logged = world.granted(world.ready())
    foreign = sign_statement(given_receipt(world, logged), SigningKey.generate()).text

    with pytest.raises(ReceiptUnfit):
        check_receipt(world.consumer, judged(world, logged), foreign)


def test_a_contract_is_held_to_the_manifests_digest(world: World) -> None:
    """The exchange cannot hand out a laxer contract."""
    world.declare()
    world.ready()
    manifest = judged(world, world.granted(next(iter(world.exchange.subscriptions)))).manifest.statement
    ref = manifest.contract.model_copy(update={"digest": DIGEST})

    with pytest.raises(DocumentsUnfit):
        fetch_contract(world.consumer, manifest.model_copy(update={"contract": ref}))
    assert fetch_contract(world.consumer, manifest).id == CONTRACT


def test_a_feed_entry_is_the_providers_word(world: World) -> None:
    """A manifest under another key is not listed."""
    world.ready()
    entry = world.exchange.feeds[DATASET][0]
    manifest = peek_statement(entry.manifest_envelope, Manifest).statement
    forged = sign_statement(manifest, SigningKey.generate()).text

    with pytest.raises(SignatureInvalid):
        world.consumer.trust.participant_statement(forged, Manifest, world.provider.participant)
