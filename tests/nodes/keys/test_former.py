"""What former keys signed: what a node still believes of it, and of the exchange's former keys."""

from typing import Any

import pytest

from audit.keys.key_history import KeyChainBroken
from audit.keys.signing import SignatureInvalid, SigningKey
from audit.log.entry import EntryKind
from contracts.clock import FrozenClock
from contracts.errors import HeadwatersError, NotFound
from contracts.messages import (
    Application,
    Member,
    Receipt,
    ReceiptRole,
    SecurityEvent,
    Severity,
    Text,
)
from nodes.node import Node, open_node
from nodes.rotating.rotation import revoke_key, rotate_key
from nodes.rotating.statements import KeyEnded
from nodes.signed import sign_statement
from nodes.trusting.trust import UnknownParticipant
from tests.nodes.keys.key_exchange import KeyExchange
from tests.nodes.simulated_exchange import ORIGIN


def listed(exchange: KeyExchange, other: Node) -> Member:
    """Give what the exchange says of a node."""
    return exchange.members[other.participant]


def event(exchange: KeyExchange, number: int, key: SigningKey) -> str:
    """Write a security event signed by the exchange."""
    title = Text(zh="演练", en="A drill")
    said = SecurityEvent(
        number=number,
        event=f"e-aaaaaaaaaaa{'abc'[number]}",
        event_class="drill.held",
        severity=Severity.LOW,
        subject=None,
        title=title,
        facts={},
        at=exchange.clock.now(),
    )
    return sign_statement(said, key).text


def application(other: Node, purpose: str = "flood-control") -> Application:
    """Write an application."""
    now = other.clock.now()
    return Application(
        application="q-aaaaaaaaaaaa",
        consumer=other.participant,
        dataset="river-buoy",
        purpose=purpose,
        basis="b",
        scenario="s",
        scope="c",
        until=now,
        at=now,
    )


def log_application(exchange: KeyExchange, said: Application) -> int:
    """Log an application as the exchange does."""
    digest = "sha256:" + "0" * 64
    fields = {"app": said.application, "cons": said.consumer, "prov": said.consumer}
    fields |= {"dsc": digest, "pur": digest, "dig": said.content_digest()}
    return exchange.append(EntryKind.APPLICATION_OPEN, fields, said.content_digest())


def test_what_a_former_key_signed_counts_where_it_was_logged_before(
    node: Node, other: Node, exchange: KeyExchange
) -> None:
    """The statement is proved to stand below the key's end, once; the proof is kept."""
    said = application(other)
    signed = sign_statement(said, other.node_key).text
    log_application(exchange, said)
    rotate_key(other, "node")
    node.trust.refresh_directory()

    for _ in range(2):
        assert node.trust.participant_statement(signed, Application, other.participant).statement == said
    assert sum("statements/" + said.content_digest() in path for _, path in exchange.calls) == 1


@pytest.mark.parametrize("why", ["rotated", "revoked"])
def test_what_a_former_key_signed_later_is_refused(
    node: Node, other: Node, exchange: KeyExchange, why: str
) -> None:
    """Whoever keeps an old key can sign with it, but cannot put that into the log of before."""
    old = other.node_key
    late, never = application(other), application(other, "another-purpose")
    if why == "rotated":
        rotate_key(other, "node")
    else:
        revoke_key(other, "node", "compromised")
    log_application(exchange, late)
    node.trust.refresh_directory()

    with pytest.raises(KeyEnded):
        node.trust.participant_statement(sign_statement(late, old).text, Application, other.participant)
    with pytest.raises(NotFound):
        node.trust.participant_statement(sign_statement(never, old).text, Application, other.participant)


def test_a_revoked_node_key_acts_no_more(node: Node, other: Node, exchange: KeyExchange) -> None:
    """There is no key to authenticate the participant's requests with, whatever its standing says."""
    exchange.revoke(other.participant, "node")
    exchange.approve(other.participant)  # the exchange would let it act all the same
    node.trust.refresh_directory()

    with pytest.raises(UnknownParticipant):
        node.trust.node_key(other.participant)


@pytest.mark.parametrize(
    ("why", "grant", "counts"),
    [("rotated", 0, True), ("rotated", 1, False), ("revoked", 0, False), ("present", 9, True)],
)
def test_a_receipt_counts_by_its_grants_place(
    node: Node, other: Node, exchange: KeyExchange, why: str, grant: int, counts: bool
) -> None:
    """A replaced key's receipt closes a grant that was logged before; a revoked key's closes nothing."""
    old, place = other.node_key, len(exchange.leaves) - 1 + grant
    if why == "rotated":
        rotate_key(other, "node")
    elif why == "revoked":
        exchange.revoke(other.participant, "node")
    node.trust.refresh_directory()
    fields: dict[str, Any] = {
        "role": ReceiptRole.PROVIDER,
        "participant": other.participant,
        "grant": "g-aaaaaaaaaaaa",
        "grant_index": place,
        "manifest": "sha256:" + "0" * 64,
        "obligations": "sha256:" + "0" * 64,
        "content_salt": "00" * 32,
        "view_sha256": "sha256:" + "0" * 64,
        "view_chunk_root": "sha256:" + "0" * 64,
        "view_size_bytes": 1,
        "view_rows": 1,
        "redacted": [],
        "at": exchange.clock.now(),
    }
    said = Receipt.model_validate(fields)
    text = sign_statement(said, old).text

    if counts:
        assert node.trust.receipt(text, other.participant, (ORIGIN, place)).statement == said
        return
    with pytest.raises(KeyEnded):
        node.trust.receipt(text, other.participant, (ORIGIN, place))


def test_news_is_sought_before_a_signature_is_refused(node: Node, other: Node, exchange: KeyExchange) -> None:
    """A node that has not heard of a rotation looks it up when the new key signs, at most once a second."""
    rotate_key(other, "node")
    said = application(other)
    signed = sign_statement(said, other.node_key).text

    assert node.trust.participant_statement(signed, Application, other.participant).statement == said
    stranger = sign_statement(said, SigningKey.generate()).text
    with pytest.raises(SignatureInvalid):
        node.trust.participant_statement(stranger, Application, other.participant)


# --- the exchange's key ---------------------------------------------------------------------------------


def test_the_exchanges_new_key_is_believed_by_its_chain(
    node: Node, other: Node, exchange: KeyExchange
) -> None:
    """A directory under the new key is accepted because the pinned one signed for it."""
    exchange.replace_statement_key()
    old = exchange.replace_statement_key()
    first = event(exchange, 1, exchange.statement_key)
    assert node.trust.exchange_statement(first, SecurityEvent).statement.number == 1

    assert node.trust.exchange_key == exchange.statement_key.public
    with pytest.raises(KeyEnded):
        node.trust.exchange_statement(event(exchange, 2, old), SecurityEvent)
    before, after = (exchange.past_keys[-1].until.size + shift for shift in (-1, 0))
    text = event(exchange, 2, old)
    assert node.trust.exchange_statement(text, SecurityEvent, place=(ORIGIN, before)).statement.number == 2
    with pytest.raises(KeyEnded):
        node.trust.exchange_statement(text, SecurityEvent, place=(ORIGIN, after))
    node.trust.revocations()


def test_a_strange_key_of_the_exchange_is_refused(node: Node, exchange: KeyExchange) -> None:
    """Without the pinned key's signature a directory under another key is nobody's."""
    exchange.statement_key = SigningKey.generate()
    exchange.issue_directory()
    with pytest.raises(HeadwatersError):
        node.trust.refresh_directory()

    exchange.replace_statement_key()
    with pytest.raises(KeyChainBroken):
        node.trust.refresh_directory()


def test_the_present_key_survives_a_restart(node: Node, exchange: KeyExchange, clock: FrozenClock) -> None:
    """A node that starts anew knows the present key from the directory that it kept."""
    exchange.replace_statement_key()
    node.trust.refresh_directory()
    exchange.down = True

    with open_node(node.home.path, clock=clock, transport=exchange.transport) as again:
        assert again.trust.exchange_key == exchange.statement_key.public
