"""Serving a view: signed each time, checked each time, in ranges, and sealed where it is relayed."""

import httpx
import pytest
from sqlmodel import select

from audit.keys.signing import SigningKey
from contracts.errors import Refused
from contracts.messages import DeliveryRequest, Grant, LoggedGrant, Receipt
from nodes.delivering import deliver as delivering
from nodes.delivering import routes
from nodes.delivering.deliver import delivered_view, find_delivery, stream
from nodes.granted import GrantExpired
from nodes.sharing_tables import DeliveryRow, OutboxRow
from nodes.signed import peek_statement
from tests.nodes.sharing import World

BLOCK = 512


def opened(world: World) -> tuple[Grant, Receipt]:
    """Present a good grant; give it with the provider's receipt."""
    logged = world.granted(world.ready())
    receipt = peek_statement(world.present(logged).json()["receipt"], Receipt).statement
    return peek_statement(logged.grant_envelope, Grant).statement, receipt


def fetch(world: World, grant: str, byte_range: str | None = None, **client: object) -> httpx.Response:
    headers = {} if byte_range is None else {"range": byte_range}
    with world.client(**client) as open_client:  # type: ignore[arg-type]
        return open_client.get(f"/deliveries/{grant}/data", headers=headers)


def present_sealed(world: World, logged: LoggedGrant) -> httpx.Response:
    body = DeliveryRequest(logged=logged, seal_to=world.consumer.sealing_key.public_text).canonical()
    with world.client(base=world.provider.mailbox_base) as client:
        return client.post("/deliveries", content=body)


def test_the_same_grant_gets_the_same_receipt(world: World) -> None:
    """A consumer may repeat after a crash; there is one delivery and one outbox row."""
    logged = world.granted(world.ready())

    first, second = world.present(logged), world.present(logged)

    assert first.json() == second.json()
    with world.provider.database.read() as session:
        assert len(session.exec(select(DeliveryRow)).all()) == 1
        assert len(session.exec(select(OutboxRow)).all()) == 1


def test_the_whole_view_is_sent_with_its_digest_as_etag(world: World) -> None:
    """200 carries length, ETag and the offer of ranges."""
    grant, receipt = opened(world)

    answer = fetch(world, grant.grant)

    assert answer.status_code == 200
    assert len(answer.content) == receipt.view_size_bytes
    assert answer.headers["etag"] == f'"{receipt.view_sha256}"'
    assert answer.headers["accept-ranges"] == "bytes"


def test_ranges_make_up_the_whole(world: World) -> None:
    """Pieces of a view are the view."""
    grant, receipt = opened(world)
    size = receipt.view_size_bytes

    pieces = [fetch(world, grant.grant, f"bytes={at}-{at + 999}") for at in range(0, size, 1000)]

    assert {piece.status_code for piece in pieces} == {206}
    assert pieces[0].headers["content-range"] == f"bytes 0-999/{size}"
    assert b"".join(piece.content for piece in pieces) == fetch(world, grant.grant).content


def test_a_range_outside_the_view_is_answered_416(world: World) -> None:
    """The refusal names the length."""
    grant, receipt = opened(world)

    answer = fetch(world, grant.grant, f"bytes={receipt.view_size_bytes}-")

    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{receipt.view_size_bytes}"


def test_every_fetch_is_signed_by_the_grants_key(world: World) -> None:
    """Knowing the grant's number opens nothing."""
    grant, _ = opened(world)

    assert fetch(world, grant.grant, key=SigningKey.generate()).json()["code"] == "not-the-grantee"


def test_nothing_is_fetched_before_the_grant_was_presented(world: World) -> None:
    """Checks come first."""
    logged = world.granted(world.ready())
    grant = peek_statement(logged.grant_envelope, Grant).statement

    assert fetch(world, grant.grant).json()["code"] == "delivery-unknown"


def test_an_expired_grant_fetches_nothing(world: World) -> None:
    """A delivery that was opened closes with its grant."""
    grant, _ = opened(world)
    world.clock.advance(61)

    assert fetch(world, grant.grant).json()["code"] == "grant-expired"


def test_a_revoked_grant_fetches_nothing(world: World) -> None:
    """A delivery that was opened closes within five seconds of a revocation."""
    grant, _ = opened(world)
    world.exchange.revoke("grants", grant.grant)
    world.clock.advance(6)

    assert fetch(world, grant.grant).json()["code"] == "grant-revoked"


@pytest.mark.parametrize("kind", ["agreements", "participants"])
def test_a_revocation_stops_a_running_stream(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of a long stream never leaves."""
    monkeypatch.setattr(delivering, "BLOCK_BYTES", BLOCK)
    grant, receipt = opened(world)
    _, _, view = delivered_view(world.provider, find_delivery(world.provider, grant.grant))
    blocks = stream(world.provider, grant, view, 0, receipt.view_size_bytes - 1)
    next(blocks)

    world.exchange.revoke(kind, grant.agreement if kind == "agreements" else grant.consumer)
    world.clock.advance(6)

    with pytest.raises(Refused, match="revoked"):
        next(blocks)


def test_a_grant_that_expires_stops_a_running_stream(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is checked before each block."""
    monkeypatch.setattr(delivering, "BLOCK_BYTES", BLOCK)
    grant, receipt = opened(world)
    _, _, view = delivered_view(world.provider, find_delivery(world.provider, grant.grant))
    blocks = stream(world.provider, grant, view, 0, receipt.view_size_bytes - 1)
    next(blocks)
    world.clock.advance(61)

    with pytest.raises(GrantExpired):
        next(blocks)


def test_an_exchange_that_is_silent_stops_a_running_stream(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a fresh revocation list nothing more leaves: silence is refusal."""
    monkeypatch.setattr(delivering, "BLOCK_BYTES", BLOCK)
    grant, receipt = opened(world)
    _, _, view = delivered_view(world.provider, find_delivery(world.provider, grant.grant))
    blocks = stream(world.provider, grant, view, 0, receipt.view_size_bytes - 1)
    next(blocks)
    world.exchange.down = True
    world.clock.advance(6)

    with pytest.raises(Exception, match="does not answer"):
        next(blocks)


def test_a_view_that_was_lost_is_told(world: World) -> None:
    """The bytes of a receipt are those bytes or none."""
    grant, _ = opened(world)
    _, _, view = delivered_view(world.provider, find_delivery(world.provider, grant.grant))
    view.path.unlink()

    assert fetch(world, grant.grant).json()["code"] == "view-lost"


def test_nothing_leaves_unsealed_through_the_relay(world: World) -> None:
    """A delivery that comes through the mailbox names a key to seal to."""
    logged = world.granted(world.ready())

    answer = world.present(logged, world.client(base=world.provider.mailbox_base))

    assert answer.json()["code"] == "sealing-required"


def test_a_delivery_opened_directly_is_not_fetched_unsealed_through_the_relay(world: World) -> None:
    """The way of the bytes counts, not the way of the grant."""
    grant, _ = opened(world)

    answer = fetch(world, grant.grant, base=world.provider.mailbox_base)

    assert answer.json()["code"] == "sealing-required"


def test_a_relayed_piece_is_ciphertext_bound_to_its_place(world: World) -> None:
    """The exchange sees neither the bytes nor can it pass one piece off as another."""
    logged = world.granted(world.ready())
    present_sealed(world, logged)
    grant = peek_statement(logged.grant_envelope, Grant).statement

    piece = fetch(world, grant.grant, "bytes=0-99", base=world.provider.mailbox_base)

    place = piece.headers["content-range"]
    plain = world.consumer.sealing_key.open(piece.content, routes.relay_info(grant.grant, place))
    assert plain[:4] == b"PAR1"
    assert plain not in piece.content


def test_a_sealed_piece_has_at_most_four_mebibytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Larger pieces are refused, so the mailbox can carry each one."""
    monkeypatch.setattr(routes, "SEALED_PIECE_BYTES", 100)
    logged = world.granted(world.ready())
    present_sealed(world, logged)
    grant = peek_statement(logged.grant_envelope, Grant).statement

    answer = fetch(world, grant.grant, base=world.provider.mailbox_base)

    assert answer.status_code == 413
    assert answer.json()["code"] == "piece-too-large"


def test_a_new_record_stops_what_was_granted_before(world: World) -> None:
    """Once a provider has declared its dataset anew, a grant under the old record brings no more bytes."""
    grant, _ = opened(world)
    before = fetch(world, grant.grant)
    world.declare(classification=2)
    after = fetch(world, grant.grant)

    assert before.status_code == 200
    assert (after.status_code, after.json()["code"]) == (403, "record-not-ours")
