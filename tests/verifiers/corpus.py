"""Transfers, good and bad, that two verifiers are asked about: each a proof file and a trust file.

Most variants are the ones that ``tests.audit`` proves one by one; here they are judged side by side.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from audit.formats.note import SecondLine, parse_note
from audit.formats.packed import pack, unpack
from audit.keys.second_keys import line_name
from audit.keys.signing import SigningKey
from audit.keys.suites import MlDsaKey, Suite
from audit.keys.trust import TrustedKey, TrustedParticipant
from audit.keys.trust_file import TrustFile
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from audit.proofs.transfer_proof import MAX_PLAIN_BYTES, MAX_PROOF_BYTES, ProvenEntry, Term
from contracts.canonical import Json, canonical_bytes, digest, parse_canonical
from contracts.messages import LogPlace, ReceiptRole
from tests.audit.logs import NOW, ORIGIN, WITNESSES
from tests.audit.test_key_windows import _ended, _in_next_shard, _two_shards, _with, _witnesses
from tests.audit.transfer_evidence import (
    CONSUMER,
    CONSUMER_ID,
    EXCHANGE,
    PROVIDER,
    PROVIDER_ID,
    STRANGER,
    Evidence,
    Statements,
    evidence,
    seal,
    signed_root,
    statements,
    trust,
    trust_root,
    with_checkpoint,
)

NEW = SigningKey.from_seed(bytes([60]) * 32)  # the key that ``_ended`` puts in an ended one's place


class Case(NamedTuple):
    """One proof, the trust file to judge it by, and whether it holds: good, bad or undecided."""

    name: str
    proof: bytes
    trust: bytes
    word: str


def transfers(folder: Path) -> Iterator[Case]:
    """Give every case; logs are made in ``folder``."""
    whole = evidence(_new(folder, "whole"))
    yield from _trusts(whole)
    yield from _second_lines(whole)
    yield from _statements(whole)
    yield from _windows(whole)
    yield from _shards(whole, folder)
    yield from _mixed(folder)
    yield from _logged_otherwise(folder)
    yield from _receipts_otherwise(folder)
    few = evidence(_new(folder, "few"), witnesses=1)
    yield Case("too few witnesses", few.proof(), _own(), "undecided")


def plain(proof: bytes) -> bytes:
    """Give the JSON of a packed proof."""
    return unpack(proof, max_packed_bytes=MAX_PROOF_BYTES, max_plain_bytes=MAX_PLAIN_BYTES)


def rewritten(proof: bytes, **fields: Json) -> bytes:
    """Exchange fields of a proof's JSON, with a digest that fits."""
    value: dict[str, Any] = dict(parse_canonical(plain(proof)))  # type: ignore[arg-type]  # a proof is an object
    return pack(canonical_bytes({**value, **fields}))


def _new(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _own(**changes: object) -> bytes:
    return TrustFile.of(None, trust_root(**changes)).canonical()


def _trusts(whole: Evidence) -> Iterator[Case]:
    proof = whole.proof()
    root, signed = trust_root(number=1), signed_root()
    late = trust_root(number=1, quorum=1)
    fewer = trust_root(number=1, participants=trust_root().participants[:2])
    damaged = trust().canonical().replace("甲".encode(), "丁".encode())
    yield Case("nobody signed the root", proof, _own(), "good")
    yield Case("provinces signed the root", proof, TrustFile.of(signed, None).canonical(), "good")
    yield Case("a signed root and a view", proof, TrustFile.of(signed, root).canonical(), "good")
    yield Case("a view that lowers the quorum", proof, TrustFile.of(signed, late).canonical(), "bad")
    yield Case("a view that drops a province", proof, TrustFile.of(signed, fewer).canonical(), "bad")
    yield Case("one province signed", proof, TrustFile.of(signed_root(signers=1), None).canonical(), "bad")
    yield Case("a damaged trust file", proof, damaged, "bad")
    unknown = _own(participants=trust_root().participants[::2])
    yield Case("the consumer is not in the root", proof, unknown, "undecided")
    foreign = [TrustedKey(key=STRANGER.public.text)]
    yield Case("another exchange", proof, _own(statement_keys=foreign), "bad")
    yield Case(
        "another provider's key", proof, _own(participants=_with(PROVIDER_ID, node_keys=foreign)), "bad"
    )


def _second_lines(whole: Evidence) -> Iterator[Case]:
    line = SecondLine(line_name(ORIGIN, Suite.MLDSA44), MlDsaKey.from_seed(bytes([70]) * 32))
    note = whole.done.proof.checkpoint_note
    text, key = parse_note(note).text, str(line.verifier_key)
    signed, other = (line.sign(one, NOW).encode() for one in (text, text.replace("\n8\n", "\n9\n")))
    log = trust_root().logs[0]
    known = [log.model_copy(update={"second_keys": [key]})]
    crossed = [log.model_copy(update={"second_keys": [str(WITNESSES[0].verifier_key)]})]
    root = trust_root(number=1, logs=known)

    def under(raw: bytes) -> bytes:
        moved = replace(whole, done=with_checkpoint(whole.done, raw), grant=with_checkpoint(whole.grant, raw))
        return moved.proof()

    yield Case("a second line", under(note + signed), _own(logs=known), "good")
    yield Case("a second key and no line", whole.proof(), _own(logs=known), "good")
    yield Case("a second line of a stranger", under(note + other), _own(), "good")
    yield Case("a second line over another size", under(note + other), _own(logs=known), "bad")
    yield Case("a second line twice", under(note + signed + signed), _own(logs=known), "bad")
    yield Case("a witness's key as a second one", whole.proof(), _own(logs=crossed), "bad")
    grown = TrustFile.of(signed_root(), root).canonical()
    yield Case("a second key since the signing", under(note + signed), grown, "good")
    dropped = TrustFile.of(signed_root(logs=known), trust_root(number=1)).canonical()
    yield Case("a second key that was dropped", whole.proof(), dropped, "bad")


def _statements(whole: Evidence) -> Iterator[Case]:
    told = whole.statements
    signed: dict[str, list[tuple[object, list[SigningKey]]]] = {
        "grant": [
            (told.grant, [PROVIDER]),
            (told.grant.model_copy(update={"decision": "c-zzzzzzzzzzzz"}), [EXCHANGE]),
        ],
        "manifest": [
            (told.manifest, [EXCHANGE]),
            (told.manifest.model_copy(update={"number": 4}), [PROVIDER]),
        ],
        "record": [(told.record, [CONSUMER]), (told.record.model_copy(update={"number": 2}), [PROVIDER])],
        "agreement": [
            (told.agreement, [PROVIDER]),
            (told.agreement, [CONSUMER]),
            (told.agreement, [CONSUMER, STRANGER]),
            (told.agreement.model_copy(update={"purpose": "other"}), [PROVIDER, CONSUMER]),
        ],
        "provider_receipt": [
            (told.given, [CONSUMER]),
            (told.given.model_copy(update={"view_rows": 1}), [PROVIDER]),
        ],
        "consumer_receipt": [
            (told.taken, [PROVIDER]),
            (told.taken.model_copy(update={"view_rows": 1}), [CONSUMER]),
        ],
    }
    for name, variants in signed.items():
        for number, (statement, keys) in enumerate(variants):
            proof = whole.proof(**{name: seal(statement, *keys)})  # type: ignore[arg-type]  # statements
            yield Case(f"{name} {number}", proof, _own(), "bad")
    third = seal(told.agreement, PROVIDER, CONSUMER, STRANGER)
    yield Case("a stranger's signature beside", whole.proof(agreement=third), _own(), "good")
    swapped = whole.proof(provider_receipt=whole.signed["consumer_receipt"])
    yield Case("one receipt twice", swapped, _own(), "bad")
    yield Case("entries swapped", replace(whole, done=whole.grant, grant=whole.done).proof(), _own(), "bad")
    moved = replace(whole.grant, proof=replace(whole.grant.proof, index=3))
    yield Case("another index", replace(whole, grant=moved).proof(), _own(), "bad")
    yield Case("an unknown field", rewritten(whole.proof(), trust="me"), _own(), "bad")
    yield Case("another type", rewritten(whole.proof(), type="headwaters-transfer-proof/v3"), _own(), "bad")


def _windows(whole: Evidence) -> Iterator[Case]:
    proof = whole.proof()
    for party, key in ((PROVIDER_ID, PROVIDER), (CONSUMER_ID, CONSUMER)):
        for size in range(7):
            for why, least in (("rotated", 3), ("revoked", 5)):
                file = _own(participants=_with(party, node_keys=_ended(key, size, why)))  # type: ignore[arg-type]  # the two words
                word = "good" if size >= least else "bad"
                yield Case(f"{party} {why} at {size}", proof, file, word)
    for size in range(2, 5):
        word = "good" if size >= 3 else "bad"
        yield Case(f"exchange at {size}", proof, _own(statement_keys=_ended(EXCHANGE, size)), word)
    for size in (7, 8):
        word = "good" if size == 8 else "undecided"
        yield Case(f"witness at {size}", proof, _own(participants=_witnesses(size)), word)
    bound = whole.proof(
        agreement=seal(whole.statements.agreement, PROVIDER, NEW),
        consumer_receipt=seal(whole.statements.taken, NEW),
    )
    ended: list[TrustedParticipant] = _with(CONSUMER_ID, node_keys=_ended(CONSUMER, 2))
    yield Case("a grant for a former key", bound, _own(participants=ended), "bad")


def _shards(whole: Evidence, folder: Path) -> Iterator[Case]:
    logs = _two_shards()
    both = _own(logs=logs)
    yield Case("closed in the next shard", _in_next_shard(whole, gsh=ORIGIN).proof(), both, "good")
    yield Case("no shard named", _in_next_shard(whole).proof(), both, "bad")
    yield Case("the wrong shard named", _in_next_shard(whole, gsh=logs[1].origin).proof(), both, "bad")
    yield Case("an unknown shard", _in_next_shard(whole, gsh=ORIGIN).proof(), _own(), "bad")
    own = evidence(_new(folder, "own shard"), done={"gsh": ORIGIN})
    yield Case("its own shard named", own.proof(), _own(), "bad")
    end = LogPlace(origin=logs[1].origin, size=0)
    keys = [TrustedKey(key=PROVIDER.public.text, until=end, why="revoked"), TrustedKey(key=NEW.public.text)]
    file = _own(logs=logs, participants=_with(PROVIDER_ID, node_keys=keys))
    yield Case("revoked between the shards", _in_next_shard(whole, gsh=ORIGIN).proof(), file, "bad")
    yield Case("closed before it was revoked", whole.proof(), file, "good")


def _mixed(folder: Path) -> Iterator[Case]:
    """Release and record logged, at 0 and 1, before the provider's new key."""

    def early(unit: Unit, told: Statements) -> None:
        base: dict[str, Json] = {"part": PROVIDER_ID, "dsc": digest("dataset")}
        published: dict[str, Json] = base | {"n": 3, "man": told.manifest.content_digest(), "prev": None}
        declared: dict[str, Json] = base | {"n": 1, "dig": told.record.content_digest()}
        unit.append(Entry(EntryKind.RELEASE_PUBLISH, unit.now, published))
        unit.append(Entry(EntryKind.DATASET_PUBLISH, unit.now, declared))

    found = evidence(_new(folder, "mixed"), early=early)
    signed = {
        "agreement": seal(found.statements.agreement, NEW, CONSUMER),
        "provider_receipt": seal(found.statements.given, NEW),
    }
    mixed = replace(found, signed={**found.signed, **signed})
    file = _own(participants=_with(PROVIDER_ID, node_keys=_ended(PROVIDER, 2)))
    first, second = found.early
    variants: list[tuple[dict[Term, ProvenEntry], str]] = [
        ({"manifest": first, "record": second}, "good"),
        ({}, "bad"),
        ({"manifest": first}, "bad"),
        ({"manifest": second, "record": first}, "bad"),
        ({"manifest": first, "record": replace(second, proof=replace(second.proof, index=0))}, "bad"),
    ]
    for number, (terms, word) in enumerate(variants):
        yield Case(f"terms {number}", replace(mixed, terms=terms).proof(), file, word)


def _logged_otherwise(folder: Path) -> Iterator[Case]:
    done: list[dict[str, Any]] = [
        {"gidx": 3},
        {"seq": 2},
        {"len": 1},
        {"cc": digest("x")},
        {"pr": digest("x")},
    ]
    for number, fields in enumerate(done):
        yield Case(f"done {fields}", evidence(_new(folder, f"d{number}"), done=fields).proof(), _own(), "bad")
    granted: list[dict[str, Any]] = [
        {"ckey": STRANGER.public.text},
        {"exp": 1},
        {"dsc": digest("x")},
        {"ev": digest("x")},
    ]
    for number, fields in enumerate(granted):
        yield Case(
            f"grant {fields}", evidence(_new(folder, f"g{number}"), granted=fields).proof(), _own(), "bad"
        )
    late = evidence(_new(folder, "late"), done={"late": True})
    yield Case("closed late", late.proof(), _own(), "good")


def _receipts_otherwise(folder: Path) -> Iterator[Case]:
    told = statements()
    variants: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"role": ReceiptRole.CONSUMER}, {}),
        ({"participant": CONSUMER_ID}, {}),
        ({"grant_index": 3}, {"grant_index": 3}),
        ({"manifest": digest("x")}, {"manifest": digest("x")}),
        ({"obligations": digest("x")}, {"obligations": digest("x")}),
        ({}, {"view_sha256": digest("x")}),
        ({}, {"redacted": ["other"]}),
    ]
    for number, (given, taken) in enumerate(variants):
        changed = replace(
            told, given=told.given.model_copy(update=given), taken=told.taken.model_copy(update=taken)
        )
        yield Case(f"receipts {number}", evidence(_new(folder, f"r{number}"), changed).proof(), _own(), "bad")
    ended = told.agreement.model_copy(update={"expires_at": NOW})
    grant = told.grant.model_copy(update={"agreement_digest": ended.content_digest()})
    over = evidence(_new(folder, "over"), replace(told, agreement=ended, grant=grant))
    yield Case("after the agreement's end", over.proof(), _own(), "bad")
    assert told.agreement.expires_at - timedelta(days=1) > NOW
