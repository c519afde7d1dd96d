"""The twelve checks of a provider: each has its own refusal, and what is refused leaves no trace of data."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from audit.formats.dsse import parse_envelope
from audit.httpsig import sign_request
from audit.keys.signing import SigningKey
from contracts.messages import (
    DeliveryRequest,
    Grant,
    PurposeBinding,
)
from nodes.publishing.artifacts import artifact_path
from nodes.publishing.publish import own_releases
from nodes.sharing_tables import ReleaseRow
from nodes.signed import peek_statement, sign_statement
from tests.nodes.delivering.presented import DIGEST, NARROWED, other_agreement, refused, resigned
from tests.nodes.sharing import DATASET, DIRECT, PURPOSE, World, rows


def test_a_good_grant_is_answered_with_a_signed_receipt(world: World) -> None:
    """Every check passes for what the exchange granted and logged."""
    answer = world.present(world.granted(world.ready()))

    assert answer.status_code == 200
    envelope = parse_envelope(answer.json()["receipt"].encode())
    key = world.provider.node_key.public
    assert envelope.verified_by({key.key_id: key}, {key.key_id}) == {key.key_id}


# --- 1: the key, the nonce ------------------------------------------------------------------------


def test_a_grant_used_by_another_key_is_refused(world: World) -> None:
    """A grant is not a bearer token."""
    logged = world.granted(world.ready())

    refused(world, world.present(logged, world.client(key=SigningKey.generate())), "not-the-grantee")


def test_a_grant_used_in_another_name_is_refused(world: World) -> None:
    """The key id must be the consumer's."""
    logged = world.granted(world.ready())
    client = world.client(keyid=world.provider.participant)

    refused(world, world.present(logged, client), "not-the-grantee")


def test_a_replayed_request_is_refused(world: World) -> None:
    """The same signed request counts once."""
    logged = world.granted(world.ready())
    body = DeliveryRequest(logged=logged).canonical()
    headers = sign_request(
        "POST",
        f"{DIRECT}/deliveries",
        body,
        key=world.consumer.node_key,
        keyid=world.consumer.participant,
        clock=world.clock,
    )
    with world.client() as client:
        client.auth = httpx.Auth()
        first = client.post("/deliveries", content=body, headers=headers)
        second = client.post("/deliveries", content=body, headers=headers)

    assert first.status_code == 200
    assert second.json()["code"] == "replayed"


def test_a_request_for_another_address_is_refused(world: World) -> None:
    """What was signed for another node cannot be passed on to this one."""
    logged = world.granted(world.ready())

    refused(world, world.present(logged, world.client(base="http://127.0.0.1:1")), "wrong-target")


# --- 2 to 6: the exchange's word and the log ---------------------------------------------------------


def test_a_grant_of_another_exchange_is_refused(world: World) -> None:
    """Only the pinned statement key grants."""
    logged = world.granted(world.ready())
    grant = peek_statement(logged.grant_envelope, Grant).statement
    forged = logged.model_copy(update={"grant_envelope": sign_statement(grant, SigningKey.generate()).text})

    refused(world, world.present(forged), "grant-forged")


@pytest.mark.parametrize(
    "changes",
    [
        {"release": 2, "manifest": DIGEST},
        {"seq": 9},
        {"purpose": "another-use"},
        {"dataset": "another-set"},
        {"salt": "22" * 32},
        {"obligations": [PurposeBinding(purpose="any-use")]},
        {"policy": DIGEST},
    ],
)
def test_a_grant_that_is_not_the_logged_one_is_refused(world: World, changes: dict[str, Any]) -> None:
    """Every word of the grant is held against its log entry."""
    logged = world.granted(world.ready())

    refused(world, world.present(resigned(world, logged, **changes)), "grant-leaf-differs")


def test_altered_obligations_are_refused(world: World) -> None:
    """Dropping the redaction from a logged grant is noticed."""
    logged = world.granted(world.ready(**NARROWED))
    altered = resigned(world, logged, obligations=[PurposeBinding(purpose=PURPOSE)])

    refused(world, world.present(altered), "grant-leaf-differs")


def test_an_entry_of_another_moment_is_refused(world: World) -> None:
    """The entry's time must belong to the grant."""
    subscription = world.ready()
    world.exchange.spoil_grant = {"issued_at": world.clock.now() + timedelta(seconds=20)}

    refused(world, world.present(world.granted(subscription)), "grant-leaf-differs")


def test_a_leaf_of_another_kind_is_refused(world: World) -> None:
    """A grant is proved by a grant entry and by no other."""
    logged = world.granted(world.ready())
    other = base64.b64encode(
        b'{"from":null,"hds":null,"origin":"a","prev":null,"size":null,"t":"shard.open","ts":1,"v":1}'
    ).decode()

    refused(world, world.present(logged.model_copy(update={"leaf": other})), "grant-leaf-differs")


@pytest.mark.parametrize("changes", [{"index": 1}, {"inclusion_path": []}, {"inclusion_path": ["?"]}])
def test_a_grant_that_is_not_in_the_log_is_refused(world: World, changes: dict[str, Any]) -> None:
    """No bytes without an earlier logged grant."""
    logged = world.granted(world.ready())

    refused(world, world.present(logged.model_copy(update=changes)), "grant-not-logged")


def test_a_checkpoint_of_a_forked_log_is_refused(world: World) -> None:
    """A history that contradicts the last one seen is no proof."""
    subscription = world.ready()
    world.provider.trust.see_checkpoint(world.exchange.checkpoint())
    world.exchange.leaves[0] = b"\x07" * 32

    refused(world, world.present(world.granted(subscription)), "history-unsettled")


def test_an_expired_grant_is_refused(world: World) -> None:
    """A grant is short-lived."""
    logged = world.granted(world.ready())
    world.clock.advance(61)

    refused(world, world.present(logged), "grant-expired")


def test_a_clock_behind_refuses(world: World) -> None:
    """A clock that cannot tell the time cannot tell that a grant is open."""
    logged = world.granted(world.ready())
    world.clock.advance(30)
    world.provider.trust.see_checkpoint(world.exchange.cosigned())
    world.clock.advance(-30)

    refused(world, world.present(logged), "clock-behind")


# --- 7 to 9: this node's own words -----------------------------------------------------------------


def test_a_grant_for_another_provider_is_refused(world: World) -> None:
    """The audience must be this participant."""
    subscription = world.ready()
    world.exchange.spoil_grant = {"provider": world.consumer.participant}

    refused(world, world.present(world.granted(subscription)), "grant-for-another")


@pytest.mark.parametrize(
    ("who", "changes"),
    [
        (lambda w: [w.consumer.node_key], {}),
        (lambda w: [w.provider.node_key], {}),
        (lambda w: [w.provider.node_key, w.consumer.node_key], {"dataset": "another-set"}),
        (lambda w: [w.provider.node_key, w.consumer.node_key], {"purpose": "another-use"}),
        (lambda w: [w.provider.node_key, w.consumer.node_key], {"agreement": "a-222222222222"}),
        (lambda w: [w.provider.node_key, w.consumer.node_key], {"onward_sharing": False, "record": DIGEST}),
    ],
)
def test_an_agreement_that_this_node_did_not_sign_is_refused(
    world: World, who: Callable[[World], list[SigningKey]], changes: dict[str, Any]
) -> None:
    """Both signatures, these parties, this dataset and purpose, and the very words this node kept."""
    logged = world.granted(world.ready())

    refused(
        world, world.present(other_agreement(world, logged, *who(world), **changes)), "agreement-not-ours"
    )


def test_an_agreement_that_has_expired_is_refused(world: World) -> None:
    """Terms hold until their end and no longer."""
    subscription = world.ready()
    world.clock.advance(timedelta(days=31).total_seconds())
    world.exchange.issue_directory()

    refused(world, world.present(world.granted(subscription)), "agreement-not-ours")


def test_an_agreement_over_an_older_record_is_refused(world: World) -> None:
    """A new record needs a new agreement."""
    subscription = world.ready()
    logged = world.granted(subscription)
    world.declare(place="elsewhere")

    refused(world, world.present(logged), "record-not-ours")


def test_a_record_that_is_not_its_own_is_refused(world: World) -> None:
    """A record that somebody else signed widens nothing."""
    logged = world.granted(world.ready())
    record = world.exchange.records[DATASET].statement.model_copy(update={"purpose_fields": []})
    foreign = sign_statement(record.model_copy(update={"place": "x"}), SigningKey.generate())

    refused(
        world, world.present(logged.model_copy(update={"record_envelope": foreign.text})), "record-not-ours"
    )


def test_a_release_that_this_node_did_not_publish_is_refused(world: World) -> None:
    """The manifest must be the one that this node signed under this number."""
    subscription = world.ready()
    with world.provider.database.transaction() as session:
        session.delete(session.get(ReleaseRow, (DATASET, 1)))

    refused(world, world.present(world.granted(subscription)), "release-not-ours")


def test_a_grant_for_another_release_is_refused(world: World) -> None:
    """Number and manifest belong together."""
    subscription = world.ready()
    world.publish(rows(3, first=90), "second.ndjson")
    world.exchange.spoil_grant = {"release": 2}

    refused(world, world.present(world.granted(subscription)), "release-not-ours")


def test_a_missing_artifact_is_told(world: World) -> None:
    """A release without its bytes cannot be delivered, and nothing else is sent instead."""
    logged = world.granted(world.ready())
    manifest = own_releases(world.provider, DATASET)[0]
    artifact_path(world.provider, manifest.distribution.sha256).unlink()

    refused(world, world.present(logged), "artifact-missing")


def test_a_grant_does_not_outlive_the_agreement(world: World) -> None:
    """A grant that the exchange dates beyond what both sides signed is refused, however well it is logged."""
    subscription = world.ready()
    world.exchange.spoil_grant = {"expires_at": world.clock.now() + timedelta(days=4000)}

    refused(world, world.present(world.granted(subscription)), "agreement-not-ours")
