"""Checks 10 to 12 of a provider: revocations, the consumer's key, and what must be hidden."""

import pytest

from audit.formats.dsse import parse_envelope
from audit.keys.signing import SigningKey
from contracts.canonical import Json
from contracts.messages import (
    Grant,
    MemberStatus,
    PurposeBinding,
    Redact,
)
from nodes.signed import peek_statement, sign_statement
from tests.nodes.delivering.presented import NARROWED, other_agreement, refused
from tests.nodes.sharing import World, rows

# --- 10 to 12: revocations, the consumer's key, the obligations ---------------------------------------


@pytest.mark.parametrize("kind", ["participants", "agreements", "grants"])
def test_what_is_revoked_is_refused(world: World, kind: str) -> None:
    """A revoked consumer, agreement or grant gets nothing, though the grant is still open."""
    logged = world.granted(world.ready())
    grant = peek_statement(logged.grant_envelope, Grant).statement
    name = {"participants": grant.consumer, "agreements": grant.agreement, "grants": grant.grant}[kind]
    world.exchange.revoke(kind, name)

    refused(world, world.present(logged), "grant-revoked")


def test_an_old_revocation_list_is_not_enough(world: World) -> None:
    """Without a list of the last five seconds nothing is delivered."""
    logged = world.granted(world.ready())
    world.exchange.revocations_age_seconds = 6

    refused(world, world.present(logged), "revocations-stale")


@pytest.mark.parametrize("status", [MemberStatus.SUSPENDED, MemberStatus.QUARANTINED])
def test_a_stopped_consumer_is_refused(world: World, status: MemberStatus) -> None:
    """The directory has the last word on who is active."""
    logged = world.granted(world.ready())
    member = world.exchange.members[world.consumer.participant]
    world.exchange.set_member(member.model_copy(update={"status": status}))
    world.provider.trust.refresh_directory()

    refused(world, world.present(logged), "grant-revoked")


def test_a_key_that_is_not_the_consumers_is_refused(world: World) -> None:
    """A grant that the exchange binds to a stranger's key is of no use to the stranger."""
    logged = world.granted(world.ready())
    stranger = SigningKey.generate()
    world.exchange.spoil_grant = {"consumer_key": stranger.public.text}
    bound = other_agreement(world, logged, world.provider.node_key, world.consumer.node_key)

    refused(world, world.present(bound, world.client(key=stranger)), "consumer-key-unknown")


def test_an_agreement_signed_by_a_stranger_for_the_consumer_is_refused(world: World) -> None:
    """That the exchange grants to a stranger's key does not make the stranger's signature the consumer's."""
    logged = world.granted(world.ready())
    stranger = SigningKey.generate()
    world.exchange.spoil_grant = {"consumer_key": stranger.public.text}
    bound = other_agreement(world, logged, world.provider.node_key, stranger)

    refused(world, world.present(bound, world.client(key=stranger)), "agreement-not-ours")


def test_the_provider_redacts_even_when_the_exchange_forgets(world: World) -> None:
    """The least redaction is the provider's own record's, whatever the exchange granted."""
    subscription = world.ready(**NARROWED)
    world.exchange.obligations = lambda terms: [PurposeBinding(purpose=terms.purpose)]

    refused(world, world.present(world.granted(subscription)), "obligations-too-weak")


def test_data_without_a_purpose_is_refused(world: World) -> None:
    """Every delivery is bound to the agreement's purpose."""
    subscription = world.ready()
    world.exchange.obligations = lambda _: []

    refused(world, world.present(world.granted(subscription)), "obligations-too-weak")


def test_a_redaction_of_an_unknown_field_is_refused(world: World) -> None:
    """An obligation that cannot be met is not met halfway."""
    subscription = world.ready()
    world.exchange.obligations = lambda terms: [
        Redact(fields=["acidity"]),
        PurposeBinding(purpose=terms.purpose),
    ]

    refused(world, world.present(world.granted(subscription)), "obligation-unfit")


def test_an_obligation_of_an_unknown_kind_is_refused(world: World) -> None:
    """The vocabulary of obligations is closed."""
    logged = world.granted(world.ready())
    envelope = parse_envelope(logged.grant_envelope.encode())
    grant: dict[str, Json] = Grant.parse(envelope.payload).model_dump(mode="json")
    payload = Unwritten(grant | {"obligations": [{"kind": "delete-after", "days": 30}]})
    signed = sign_statement(payload, world.exchange.statement_key)  # type: ignore[type-var]  # a forgery

    refused(
        world, world.present(logged.model_copy(update={"grant_envelope": signed.text})), "obligation-unknown"
    )


class Unwritten:
    """A statement that this version does not know."""

    payload_type = Grant.payload_type

    def __init__(self, value: dict[str, Json]) -> None:
        self._value = value

    def canonical(self) -> bytes:
        from contracts.canonical import canonical_bytes

        return canonical_bytes(self._value)


def test_a_redaction_of_everything_is_refused(world: World) -> None:
    """A view has at least one column."""
    subscription = world.ready()
    every = list(rows(1)[0])
    world.exchange.obligations = lambda terms: [Redact(fields=every), PurposeBinding(purpose=terms.purpose)]

    refused(world, world.present(world.granted(subscription)), "obligation-unfit")
