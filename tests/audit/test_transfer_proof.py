"""The proof file has one spelling, stays small, and gives back what it was made of byte for byte."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.formats.cosignature import Cosigner
from audit.formats.dsse import parse_envelope
from audit.formats.note import parse_note
from audit.formats.packed import pack
from audit.formats.proof import TlogProof
from audit.keys.signing import SigningKey
from audit.proofs.transfer_proof import ProvenEntry, encode_proof, read_proof
from contracts.canonical import NotCanonical, canonical_bytes
from contracts.errors import HeadwatersError
from contracts.messages import Inclusion
from contracts.spelling import NotBase64, to_base64
from tests.audit.logs import NOW
from tests.audit.transfer_evidence import Evidence, evidence, with_checkpoint


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Give the evidence of one sound transfer."""
    return evidence(tmp_path_factory.mktemp("transfer"))


def _value(proof: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(gzip.decompress(proof))
    return value


def test_envelopes_and_places_come_back_byte_for_byte(whole: Evidence) -> None:
    """DSSE envelopes, leaves and tlog-proofs are the very bytes that went in."""
    read = read_proof(whole.proof())

    assert read == whole.whole()
    assert parse_envelope(read.envelopes.grant.encode()) == whole.signed["grant"]
    assert TlogProof.parse(read.done.proof.encode()) == whole.done.proof
    assert encode_proof(read) == whole.proof()


def test_a_checkpoint_stands_there_once(whole: Evidence, tmp_path: Path) -> None:
    """Two entries under one checkpoint carry its signatures once; under two, each its own."""
    other = with_checkpoint(whole.grant, evidence(tmp_path, witnesses=3).grant.proof.checkpoint_note)

    assert len(_value(whole.proof())["checkpoints"]) == 1
    assert len(_value(replace(whole, grant=other).proof())["checkpoints"]) == 2
    assert read_proof(replace(whole, grant=other).proof()).grant == other


def test_a_proof_of_a_large_log_with_seven_witnesses_is_small(whole: Evidence) -> None:
    """At a million entries and eight signatures a proof stays below 6 KB."""
    note = parse_note(whole.done.proof.checkpoint_note)
    seven = [
        Cosigner(
            f"audit.alliance.example/2026h1/p-witness{n}xxxx", SigningKey.from_seed(bytes([40 + n]) * 32)
        )
        for n in range(7)
    ]
    log_line = note.signatures[0].line
    large = f"{note.text}\n{log_line}{''.join(one.cosign(note.text, NOW) for one in seven)}".encode()
    path = tuple(
        bytes([n + 1]) * 16 + SigningKey.from_seed(bytes([n]) * 32).public.raw[:16] for n in range(20)
    )

    def far(entry: ProvenEntry, first: bytes) -> ProvenEntry:
        return ProvenEntry(entry.leaf, TlogProof(999_000, (first, *path[1:]), large))

    proof = encode_proof(
        replace(whole.whole(), done=far(whole.done, bytes(32)), grant=far(whole.grant, b"g" * 32))
    )

    assert len(proof) < 6_000


_CHANGES: list[Callable[[dict[str, Any]], object]] = [
    lambda value: value.update(more=1),
    lambda value: value.update(type="headwaters-transfer-proof/v1"),
    lambda value: value.pop("terms"),
    lambda value: value.update(terms=None),
    lambda value: value["terms"].update(grant=value["grant"]),
    lambda value: value["terms"].update(manifest=None),
    lambda value: value["statements"].pop("grant"),
    lambda value: value["statements"].update(other=value["statements"]["grant"]),
    lambda value: value["statements"]["grant"].update(signatures=[]),
    lambda value: value["statements"]["grant"]["signatures"][0].update(sig="!"),
    lambda value: value["statements"]["grant"]["payload"].update(seq=1.5),
    lambda value: value["done"].update(checkpoint=1),
    lambda value: value["done"].update(checkpoint=-1),
    lambda value: value["done"]["path"].__setitem__(0, value["done"]["path"][0][:-2] + "B="),
    lambda value: value["done"].update(index=True),
    lambda value: value["done"].update(index="4"),
    lambda value: value["done"]["path"].append("AA=="),
    lambda value: value["checkpoints"].append(value["checkpoints"][0]),
    lambda value: value["checkpoints"].insert(0, "nobody names this one\n"),
    lambda value: value["checkpoints"].clear(),
]


@pytest.mark.parametrize("number", range(len(_CHANGES)))
def test_another_shape_is_refused(whole: Evidence, number: int) -> None:
    """Unknown, missing and repeated parts, other types, and checkpoints that nobody names are refused."""
    value = _value(whole.proof())
    _CHANGES[number](value)

    with pytest.raises(HeadwatersError):
        read_proof(
            pack(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
        )


@pytest.mark.parametrize(
    "spell",
    [
        lambda value: json.dumps(value).encode(),
        lambda value: canonical_bytes(value) + b"\n",
        lambda value: canonical_bytes(value).replace(b'"type"', b'"\\u0074ype"'),
    ],
)
def test_another_spelling_is_refused(whole: Evidence, spell: Callable[[dict[str, Any]], bytes]) -> None:
    """The same content in another spelling is another file."""
    with pytest.raises(NotCanonical):
        read_proof(pack(spell(_value(whole.proof()))))


def test_a_statement_that_was_signed_in_another_spelling_cannot_be_carried(whole: Evidence) -> None:
    """The file carries payloads as JSON, so what was signed must be canonical."""
    grant = whole.signed["grant"]

    with pytest.raises(NotCanonical):
        whole.proof(grant=replace(grant, payload=grant.payload + b" "))


@pytest.mark.parametrize("text", ["é", "QR==", "QQ", "\ud800"])
def test_an_entry_that_is_shown_badly_is_refused(whole: Evidence, text: str) -> None:
    """What an exchange shows may be any text: a leaf or a hash that is not base64 is refused."""
    good = to_base64(whole.done.leaf)
    note = whole.done.proof.checkpoint_note.decode()

    for leaf, path in ((text, []), (good, [text])):
        with pytest.raises(NotBase64):
            ProvenEntry.of(Inclusion.model_construct(index=0, leaf=leaf, path=path, checkpoint=note))
