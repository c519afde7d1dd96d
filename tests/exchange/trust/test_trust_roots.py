"""The exchange collects signatures of registered root keys and logs a root that enough of them signed."""

from dataclasses import dataclass

import pytest

from audit.formats.dsse import parse_envelope
from audit.keys.signing import SigningKey, fingerprint
from audit.keys.trust import TrustedLog
from audit.keys.trust_file import RootList, SignedRoot
from audit.log.entry import EntryKind, parse_entry
from contracts.messages import Directory, Inclusion
from nodes.trusting.trust_root import View, draw_root
from tests.exchange.provinces import ORIGIN, Exchange, Province, code

pytestmark = pytest.mark.anyio


@dataclass
class Signer:
    """A province and the root key that it registered."""

    province: Province
    root_key: SigningKey

    def sign(self, root: SignedRoot) -> SignedRoot:
        return root.with_signature(self.province.participant, self.root_key)


@pytest.fixture
async def signers(exchange: Exchange) -> list[Signer]:
    """Admit three witnesses, each with a root key."""
    admitted = []
    for _ in range(3):
        province, key = await exchange.invite(), SigningKey.generate()
        raw = province.registration(root_key=key.public.text)
        assert (await exchange.http.post("/join", content=raw)).status_code == 202
        told = {"fingerprint": fingerprint(province.node_key.public.text)}
        assert (await exchange.act(province, "approve", told)).status_code == 200
        admitted.append(Signer(province, key))
    return admitted


async def _draw(exchange: Exchange, last: SignedRoot | None = None) -> SignedRoot:
    envelope = parse_envelope((await exchange.http.get("/directory")).content)
    directory = Directory.parse(envelope.payload_as(Directory.payload_type))
    logs = (TrustedLog(origin=ORIGIN, vkey=str(exchange.parts.log_signer.verifier_key)),)
    view = View(directory, exchange.parts.statement_key.public.text, logs)
    drawn = draw_root(view, last, issued_at=exchange.clock.now(), expires_at=None)
    return SignedRoot(signatures=[], signed=drawn.checked())


async def _hand_in(signer: Signer, root: SignedRoot) -> RootList:
    answer = await signer.province.http.post("/trust/roots", content=root.canonical())
    assert answer.status_code == 200, answer.text
    return RootList.parse(answer.content)


async def _listed(exchange: Exchange, since: int = 0) -> RootList:
    return RootList.parse((await exchange.http.get("/trust/roots", params={"since": since})).content)


async def test_a_root_is_logged_once_enough_have_signed(exchange: Exchange, signers: list[Signer]) -> None:
    """One signature is a proposal; the second logs the root, issues a directory and tells the alliance."""
    root = await _draw(exchange)
    first = await _hand_in(signers[0], signers[0].sign(root))
    size = exchange.parts.log.size()
    second = await _hand_in(signers[1], signers[1].sign(root))

    entries = [parse_entry(raw) for raw in exchange.parts.log.entries(size, exchange.parts.log.size())]
    kinds = [one.kind for one in entries if one.kind is not EntryKind.ADMIN_ACT]
    both = signers[0].sign(signers[1].sign(root))
    assert (first.logged, first.open) == ([], [signers[0].sign(root)])
    assert (second.logged, second.open) == ([both], [])
    assert kinds == [EntryKind.TRUST_ROOT, EntryKind.DIRECTORY, EntryKind.SECURITY_EVENT]
    assert dict(entries[0].fields) == {"n": 1, "dig": root.digest, "k": 2}


async def test_later_signatures_join_those_before(exchange: Exchange, signers: list[Signer]) -> None:
    """The last province signs after the root was logged; nothing is logged again."""
    root = await _draw(exchange)
    await _hand_in(signers[0], signers[0].sign(signers[1].sign(root)))
    size = exchange.parts.log.size()
    listed = await _hand_in(signers[2], signers[2].sign(root))
    again = await _hand_in(signers[2], signers[2].sign(root))

    assert len(listed.logged[0].signatures) == 3
    assert again == listed
    assert exchange.parts.log.size() == size


async def test_the_next_root_is_signed_under_the_one_before(
    exchange: Exchange, signers: list[Signer]
) -> None:
    """Number and predecessor follow; a root out of turn is refused; readers ask for what they lack."""
    first = signers[0].sign(signers[1].sign(await _draw(exchange)))
    await _hand_in(signers[0], first)
    exchange.clock.advance(60)
    next_root = await _draw(exchange, first)
    stale = await signers[1].province.http.post(
        "/trust/roots", content=signers[1].sign(await _draw(exchange)).canonical()
    )
    await _hand_in(signers[1], signers[1].sign(signers[2].sign(next_root)))

    assert code(stale) == (409, "trust-root-out-of-turn")
    assert [one.signed.number for one in (await _listed(exchange)).logged] == [1, 2]
    assert [one.signed.number for one in (await _listed(exchange, 1)).logged] == [2]


async def test_one_province_has_one_open_proposal(exchange: Exchange, signers: list[Signer]) -> None:
    """A second proposal of the same province takes the first one's place, and a logged root ends all."""
    early = await _draw(exchange)
    await _hand_in(signers[0], signers[0].sign(early))
    exchange.clock.advance(60)
    later = await _draw(exchange)
    await _hand_in(signers[0], signers[0].sign(later))
    await _hand_in(signers[1], signers[1].sign(early))
    waiting = (await _listed(exchange)).open
    await _hand_in(signers[1], signers[1].sign(later))

    assert {one.digest for one in waiting} == {later.digest, early.digest}
    assert (await _listed(exchange)).open == []


async def test_only_root_keys_sign(exchange: Exchange, signers: list[Signer]) -> None:
    """Nobody's signature, a stranger's, and one with somebody else's root key are refused."""
    root = await _draw(exchange)
    stranger = root.with_signature(signers[0].province.participant, SigningKey.generate())
    borrowed = root.with_signature(signers[0].province.participant, signers[1].root_key)
    http = signers[0].province.http

    for bad in (root, stranger, borrowed):
        assert code(await http.post("/trust/roots", content=bad.canonical())) == (403, "unknown-root-key")


@pytest.mark.parametrize("weak", [{"threshold": 1}, {"quorum": 1}])
async def test_one_province_cannot_have_a_root_of_its_own_logged(
    exchange: Exchange, signers: list[Signer], weak: dict[str, int]
) -> None:
    """A root that asks for less than the alliance's quorum would stand in the way of every later one."""
    drawn = await _draw(exchange)
    own = signers[0].sign(SignedRoot(signatures=[], signed=drawn.signed.model_copy(update=weak)))
    refused = await signers[0].province.http.post("/trust/roots", content=own.canonical())

    assert code(refused) == (403, "trust-root-too-weak")
    assert await _listed(exchange) == RootList(logged=[], open=[])


async def test_a_malformed_root_is_refused(exchange: Exchange, signers: list[Signer]) -> None:
    """A root that contradicts itself, or with a signature that does not hold, is not even kept."""
    good = signers[0].sign(await _draw(exchange))
    forged = good.signatures[0].model_copy(update={"sig": "A" * 86 + "=="})
    http = signers[0].province.http

    for raw in (b"{}", good.with_signatures([forged]).canonical(), good.canonical() + b" "):
        assert code(await http.post("/trust/roots", content=raw)) == (400, "trust-root-invalid")
    assert (await _listed(exchange)).open == []


async def test_signing_needs_a_member_in_good_standing(exchange: Exchange, signers: list[Signer]) -> None:
    """A suspended member hands nothing in; reading is open to all."""
    root = signers[0].sign(await _draw(exchange))
    await exchange.act(signers[0].province, "suspend", {"reason": "test"})
    refused = await signers[0].province.http.post("/trust/roots", content=root.canonical())

    assert refused.status_code == 403
    assert (await exchange.http.get("/trust/roots")).status_code == 200


async def test_the_place_of_a_logged_root_is_shown(exchange: Exchange, signers: list[Signer]) -> None:
    """A node asks for the entry of a root by its digest."""
    root = await _draw(exchange)
    await _hand_in(signers[0], signers[0].sign(signers[1].sign(root)))
    answer = await signers[2].province.http.get(f"/log/statements/{root.digest}")

    shown = Inclusion.parse(answer.content)
    assert parse_entry(exchange.parts.log.entry(shown.index)).fields["dig"] == root.digest
