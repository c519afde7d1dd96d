"""Watermarks and tracing: a file that leaked names whom it was given to, or the node says that it cannot."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from sqlmodel import select

from audit.keys.signing import KeyFileExposed, KeyUnreadable
from contracts.clock import rfc3339
from contracts.messages import (
    Expiry,
    Grant,
    LoggedGrant,
    Mask,
    MaskRound,
    Obligation,
    PurposeBinding,
    Quota,
    Receipt,
    Watermark,
)
from contracts.view import WATERMARK_MARK
from nodes.delivering.duties.watermarks import digest_of, find_token, make_token
from nodes.delivering.tracing import NoSuchFile, NotTraced, trace
from nodes.receiving.pull import PullOptions, Received, pull
from nodes.secret_key import secret_key
from nodes.sharing_tables import DeliveryRow, WatermarkRow
from nodes.signed import peek_statement
from tests.nodes.delivering.presented import code
from tests.nodes.sharing import DATASET, PURPOSE, World

ROUNDED = Mask(field="ph", how=MaskRound(digits=0))
OTHER = "p-222222222222"


def asks(world: World, *obligations: Obligation) -> None:
    world.exchange.obligations = lambda terms: [*obligations, PurposeBinding(purpose=terms.purpose)]


def marked(world: World) -> Watermark:
    return Watermark(recipient=world.consumer.participant)


def received(world: World) -> Received:
    """Pull the first release; give what arrived."""
    world.ready()
    return pull(world.consumer, DATASET, PullOptions(connect=world.direct)).files[0]


def grant_of(logged: LoggedGrant) -> Grant:
    return peek_statement(logged.grant_envelope, Grant).statement


def token_of(answer: httpx.Response) -> str | None:
    return peek_statement(answer.json()["receipt"], Receipt).statement.discharged[0].token


# --- the mark --------------------------------------------------------------------------------------


def test_a_marked_file_carries_token_purpose_and_end(world: World) -> None:
    """The metadata travels with every copy."""
    asks(world, marked(world), Expiry(days=30))

    file = received(world)

    marks = pl.read_parquet_metadata(file.path)
    assert marks["headwaters.purpose"] == PURPOSE
    assert marks["headwaters.delete-after-days"] == "30"
    assert find_token(world.provider, marks[WATERMARK_MARK]) is not None
    assert pl.read_parquet(file.path).height == 40


def test_the_answer_names_purpose_mark_and_end_in_its_headers(world: World) -> None:
    """Whoever stores the bytes without their file still has the terms."""
    asks(world, marked(world), Expiry(days=30))
    logged = world.granted(world.ready())
    answer = world.present(logged)
    delivered_at = peek_statement(answer.json()["receipt"], Receipt).statement.at
    with world.client() as client:
        data = client.get(f"/deliveries/{grant_of(logged).grant}/data")

    assert data.headers["headwaters-purpose"] == PURPOSE
    assert data.headers["headwaters-watermark"] == token_of(answer)
    assert str(token_of(answer)).startswith("sha256:")
    assert data.headers["headwaters-delete-after"] == rfc3339(delivered_at + timedelta(days=30))


def test_the_token_is_in_the_file_alone(world: World) -> None:
    """Who relays the data or reads the receipts learns no token, so cannot put one into another file."""
    asks(world, marked(world))
    logged = world.granted(world.ready())
    receipt = peek_statement(world.present(logged).json()["receipt"], Receipt)
    with world.client() as client:
        data = client.get(f"/deliveries/{grant_of(logged).grant}/data")
    with world.provider.database.read() as session:
        (row,) = session.exec(select(WatermarkRow)).all()

    assert row.token.encode() in data.content
    assert row.token not in receipt.statement.canonical().decode()
    assert row.token not in str(data.headers.multi_items())
    assert receipt.statement.discharged[0].token == digest_of(row.token)


def test_an_answer_without_mark_or_end_names_the_purpose_only(world: World) -> None:
    """No header claims what no obligation asked for."""
    logged = world.granted(world.ready())
    world.present(logged)
    with world.client() as client:
        data = client.get(f"/deliveries/{grant_of(logged).grant}/data")

    assert {name for name in data.headers if name.startswith("headwaters-")} == {"headwaters-purpose"}


def test_a_token_depends_on_recipient_view_and_home(world: World) -> None:
    """Nobody else can make it, and no two views share one."""
    artifact, obligations = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    mine = make_token(world.provider, artifact, obligations, OTHER)

    others = {
        make_token(world.provider, artifact, obligations, "p-333333333333"),
        make_token(world.provider, obligations, obligations, OTHER),
        make_token(world.provider, artifact, artifact, OTHER),
        make_token(world.consumer, artifact, obligations, OTHER),
    }

    assert make_token(world.provider, artifact, obligations, OTHER) == mine
    assert len(others - {mine}) == 4


def test_the_key_is_made_once_even_by_many_at_a_time(tmp_path: Path) -> None:
    """One secret for all, its owner's alone, and no draft left."""
    place = tmp_path / "watermark.key"

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: secret_key(place), range(8)))

    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["watermark.key"]
    assert place.stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    """A secret that is no secret marks nothing."""
    place = tmp_path / "watermark.key"
    secret_key(place)
    place.chmod(0o640)
    with pytest.raises(KeyFileExposed):
        secret_key(place)
    place.chmod(0o600)
    place.write_text("short\n")
    with pytest.raises(KeyUnreadable):
        secret_key(place)


def test_without_its_key_a_node_delivers_nothing_marked(world: World) -> None:
    """A mark that cannot be made is an obligation that cannot be met."""
    asks(world, marked(world))
    logged = world.granted(world.ready())
    secret_key(world.provider.home.watermark_key)
    world.provider.home.watermark_key.chmod(0o644)

    refusal = world.present(logged)

    assert (refusal.status_code, code(refusal)) == (403, "key-file-exposed")


# --- tracing ---------------------------------------------------------------------------------------


def test_the_mark_names_recipient_grants_and_moments(world: World) -> None:
    """A view that was delivered twice names both grants, oldest first."""
    asks(world, marked(world))
    file = received(world)
    world.clock.advance(61)
    world.exchange.transfers.clear()
    again = world.granted(next(iter(world.exchange.subscriptions)))
    world.present(again)

    found = trace(world.provider, file.path)

    assert (found.by, found.same) == ("mark", "bytes")
    assert found.recipients == (world.consumer.participant,)
    assert [item.grant for item in found.handed] == [file.grant, grant_of(again).grant]
    assert found.handed[0].at < found.handed[1].at == world.clock.now()
    assert {(item.dataset, item.release, item.purpose) for item in found.handed} == {(DATASET, 1, PURPOSE)}


def rewritten(path: Path, folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame], **kept: str) -> Path:
    """Write a file anew, with other rows and other metadata."""
    target = folder / "leaked.parquet"
    change(pl.read_parquet(path)).write_parquet(target, metadata=kept)
    return target


def test_a_marked_file_that_was_written_anew_is_still_traced(world: World) -> None:
    """The mark speaks, and it is said whether the rows are those that were delivered."""
    asks(world, marked(world))
    file = received(world)
    token = pl.read_parquet_metadata(file.path)[WATERMARK_MARK]
    shuffled = rewritten(
        file.path, world.folder, lambda frame: frame.reverse().head(7), **{WATERMARK_MARK: token}
    )
    as_is = trace(world.provider, shuffled)
    invented = rewritten(
        file.path, world.folder, lambda frame: frame.with_columns(ph=pl.lit(1.5)), **{WATERMARK_MARK: token}
    )
    forged = trace(world.provider, invented)

    assert (as_is.by, as_is.same) == ("mark", "rows")
    assert (forged.by, forged.same) == ("mark", "changed")
    assert forged.recipients == (world.consumer.participant,)


def test_a_file_without_a_mark_is_traced_by_its_digest(world: World) -> None:
    """Bytes that a receipt was signed over say under which grants they went out."""
    file = received(world)

    found = trace(world.provider, file.path)

    assert (found.by, found.same, found.token) == ("digest", "bytes", None)
    assert found.recipients == (world.consumer.participant,)
    assert [item.grant for item in found.handed] == [file.grant]


def test_a_file_whose_mark_was_taken_out_is_traced_by_its_rows(world: World) -> None:
    """Rows in another order, some of them missing, in another file, are rows of the view."""
    asks(world, marked(world), ROUNDED)
    file = received(world)

    found = trace(world.provider, rewritten(file.path, world.folder, lambda frame: frame.reverse().tail(9)))

    assert (found.by, found.same) == ("rows", "rows")
    assert [item.grant for item in found.handed] == [file.grant]


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.with_columns(ph=pl.col("ph") + 0.25),
        lambda frame: frame.drop("ph"),
        lambda frame: frame.head(0),
        lambda frame: frame.with_columns(ph=pl.lit("a")),
        lambda frame: pl.concat([frame, frame.with_columns(ph=9.5)]),
    ],
)
def test_what_nothing_speaks_for_is_said_to_be_undecidable(
    world: World, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    """No guess: rows that were altered, added, or cut to other columns accuse nobody."""
    asks(world, marked(world))
    file = received(world)

    with pytest.raises(NotTraced):
        trace(world.provider, rewritten(file.path, world.folder, change))


def test_a_mark_of_another_node_is_not_read(world: World) -> None:
    """Only the node that made a mark can say what it stands for."""
    asks(world, marked(world))
    file = received(world)
    foreign = rewritten(
        file.path, world.folder, lambda frame: frame.with_columns(ph=0.5), **{WATERMARK_MARK: "ab" * 32}
    )

    with pytest.raises(NotTraced, match="did not make"):
        trace(world.provider, foreign)


def test_a_book_that_was_tampered_with_accuses_nobody(world: World) -> None:
    """A token counts only where the home's key makes it again."""
    asks(world, marked(world))
    file = received(world)
    token = pl.read_parquet_metadata(file.path)[WATERMARK_MARK]
    with world.provider.database.transaction() as session:
        row = session.get_one(WatermarkRow, token)
        row.recipient = OTHER
        session.add(row)

    assert find_token(world.provider, token) is None
    assert trace(world.provider, file.path).by == "digest"


def test_a_marked_view_that_was_never_delivered_says_so(world: World) -> None:
    """A file from the provider's own disk names whom it was made for, and no delivery."""
    asks(world, marked(world), Quota(unit="rows", limit=1, window_seconds=60))
    world.present(world.granted(world.ready()))
    (view,) = world.provider.home.views.glob("*.parquet")

    found = trace(world.provider, view)

    assert (found.by, found.recipients, found.handed) == ("mark", (world.consumer.participant,), ())


def test_a_file_of_another_form_is_not_traced(world: World) -> None:
    """Text that never was a view has neither mark nor rows of one."""
    received(world)
    note = world.folder / "note.txt"
    note.write_text("ph 7.1\n")

    with pytest.raises(NotTraced):
        trace(world.provider, note)
    with pytest.raises(NoSuchFile):
        trace(world.provider, world.folder / "gone.parquet")
    with pytest.raises(NoSuchFile):
        trace(world.provider, Path("note.txt"))


def test_equal_rows_given_to_two_name_both(world: World) -> None:
    """Where a file does not tell which of them it was, nobody is picked."""
    asks(world, marked(world))
    file = received(world)
    with world.provider.database.transaction() as session:
        row = session.get_one(DeliveryRow, file.grant)
        theirs = Grant.parse(row.grant.encode()).model_copy(update={"consumer": OTHER})
        twin = {"grant_id": "g-222222222222", "grant": theirs.canonical().decode()}
        session.add(DeliveryRow(**(row.model_dump() | twin)))

    found = trace(world.provider, rewritten(file.path, world.folder, lambda frame: frame))

    assert found.by == "rows"
    assert found.recipients == tuple(sorted([world.consumer.participant, OTHER]))
