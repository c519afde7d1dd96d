"""The log over HTTP: C2SP types and caching, open hashes, entries for signed readers, proofs that verify."""

import base64

import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, verify_consistency, verify_inclusion
from audit.formats.note import parse_note
from audit.formats.tile import decode_bundle, entries_path, tile_path
from contracts.messages import Inclusion
from exchange.log.cosigning import Cosigning
from tests.exchange.provinces import Exchange, Province, Serving, code

pytestmark = pytest.mark.anyio


@pytest.fixture
async def published(exchange: Exchange) -> list[Province]:
    """Publish a checkpoint that two witnesses cosigned."""
    witnesses = [await exchange.admit() for _ in range(2)]
    cosigning = Cosigning(exchange.parts)
    async with Serving(*witnesses):
        await cosigning.round()
        await cosigning.settle()
    return witnesses


async def test_the_checkpoint_is_a_note_for_seconds(exchange: Exchange) -> None:
    """The checkpoint is text and is cached for a second only."""
    answer = await exchange.http.get("/log/checkpoint")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=1"
    assert Checkpoint.parse(parse_note(answer.content).text).size == exchange.parts.log.size()


async def test_hash_tiles_are_open_and_immutable(exchange: Exchange) -> None:
    """Anybody may read hash tiles, and may keep them for ever."""
    size = exchange.parts.log.size()
    answer = await exchange.http.get("/log/" + tile_path(0, 0, size))

    assert answer.headers["content-type"] == "application/octet-stream"
    assert "immutable" in answer.headers["cache-control"]
    assert len(answer.content) == 32 * size


async def test_entries_need_a_signed_reader(exchange: Exchange, published: list[Province]) -> None:
    """Entry bundles go to active nodes and to the auditor, to no other person and to nobody unsigned."""
    path = "/log/" + entries_path(0, exchange.parts.log.size())
    node = await published[0].http.get(path)
    auditor = await exchange.person("auditor").get(path)
    operator = await exchange.person("operator").get(path)
    nobody = await exchange.http.get(path)

    assert decode_bundle(node.content) == exchange.parts.log.entries(0, exchange.parts.log.size())
    assert auditor.content == node.content
    assert "private" in node.headers["cache-control"]
    assert code(operator) == (403, "wrong-role")
    assert nobody.status_code == 401


async def test_a_suspended_node_reads_no_entries(exchange: Exchange, published: list[Province]) -> None:
    """A node out of good standing reads no entries, and may still prove its own receipts."""
    await exchange.act(published[0], "suspend", {"reason": "test"})
    entries = await published[0].http.get("/log/" + entries_path(0, 1))
    proof = await published[0].http.get("/log/proof/0")

    assert code(entries) == (403, "member-not-active")
    assert proof.status_code == 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tile/0/001", (404, "no-such-entry")),
        ("tile/9/000.p/1", (404, "no-such-entry")),
        ("tile/0/000.p/256", (400, "bad-tile-path")),
        ("tile/0/0", (400, "bad-tile-path")),
        ("tile/0/x999/" * 12 + "000", (400, "bad-tile-path")),
        ("proof/-1", (400, "bad-request")),
        ("proof/99999999999999999999999999", (400, "bad-request")),
        ("consistency/9/4", (400, "outside-tree")),
        ("consistency/1/4000", (404, "no-such-entry")),
        ("consistency/x/4", (400, "bad-request")),
    ],
)
async def test_an_odd_place_is_refused(
    exchange: Exchange, published: list[Province], path: str, expected: tuple[int, str]
) -> None:
    """What the log has not, or what is no place in it, gets a problem document."""
    answer = await published[0].http.get(f"/log/{path}")

    assert answer.headers["content-type"] == "application/problem+json"
    assert expected == code(answer)


async def test_an_inclusion_proof_verifies_under_the_cosigned_checkpoint(
    exchange: Exchange, published: list[Province]
) -> None:
    """The proof holds for the leaf, under a note that a quorum cosigned."""
    answer = await published[0].http.get("/log/proof/1")
    proof = Inclusion.parse(answer.content)
    checkpoint = Checkpoint.parse(parse_note(proof.checkpoint.encode()).text)
    path = [base64.b64decode(text) for text in proof.path]

    verify_inclusion(leaf_hash(base64.b64decode(proof.leaf)), 1, checkpoint.size, path, checkpoint.root)
    assert len(parse_note(proof.checkpoint.encode()).signatures) == 3


async def test_an_entry_is_not_proved_before_it_is_witnessed(
    exchange: Exchange, published: list[Province]
) -> None:
    """An entry beyond the newest cosigned checkpoint gets 409 and is to be asked for again."""
    size = exchange.parts.log.size()
    await exchange.invite(witness=False)

    assert code(await published[0].http.get(f"/log/proof/{size}")) == (409, "not-yet-witnessed")
    assert code(await published[0].http.get(f"/log/proof/{size + 9}")) == (404, "no-such-entry")


async def test_nothing_is_proved_before_the_first_quorum(exchange: Exchange) -> None:
    """Without any cosigned checkpoint every proof waits."""
    province = await exchange.admit()

    assert code(await province.http.get("/log/proof/0")) == (409, "not-yet-witnessed")


async def test_a_consistency_proof_verifies(exchange: Exchange, published: list[Province]) -> None:
    """Anybody can check that the log only grew."""
    size = exchange.parts.log.size()
    answer = (await exchange.http.get(f"/log/consistency/3/{size}")).json()
    path = [base64.b64decode(text) for text in answer["path"]]
    log = exchange.parts.log

    verify_consistency(3, size, path, log.root(3), log.root(size))
    assert path
