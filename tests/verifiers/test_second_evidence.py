"""Two verifiers, written apart, say the same of every transfer, trust root and fork, good or bad."""

import json
from functools import partial
from io import BytesIO
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.packed import pack
from audit.keys.trust_file import TrustFile
from audit.proofs.equivocation import fork_path, prove_fork, verify_fork
from audit.proofs.verify import verify_transfer
from contracts.errors import HeadwatersError
from tests.audit.logs import NOW
from tests.audit.test_equivocation import EQUAL, FORKED, KEY, OTHER, POWER, RAW, TREE, note
from tests.audit.transfer_evidence import DATA, signed_root
from tests.verifiers.corpus import Case, plain, transfers
from tests.verifiers.first import ours
from tests.verifiers.second_evidence import Transfer, check_fork
from tests.verifiers.second_trust import Trust, canonical, digest, verdict
from tests.verifiers.tampering import seeded

MUTATIONS = 400


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Give every case of the corpus."""
    return list(transfers(tmp_path_factory.mktemp("corpus")))


def words(proof: bytes, trust: bytes, data: bytes | None = None) -> tuple[str, str]:
    """Give both verifiers' word on one proof."""

    def mine() -> None:
        verify_transfer(proof, None if data is None else BytesIO(data), TrustFile.read(trust), now=NOW)

    return ours(mine), verdict(lambda: Transfer(proof, Trust(trust), NOW.timestamp(), data))


def test_both_say_the_same_of_every_transfer(cases: list[Case]) -> None:
    """For each variant of keys, windows, shards and statements both give the word that is due."""
    said = {case.name: words(case.proof, case.trust) for case in cases}

    assert said == {case.name: (case.word, case.word) for case in cases}
    assert len(said) == len(cases) > 80


def test_both_find_the_same_in_a_good_one(cases: list[Case]) -> None:
    """Parties, places, witnesses and signers of the trust root are the same to both, and so is the data."""
    case = cases[1]
    mine = verify_transfer(case.proof, None, TrustFile.read(case.trust), now=NOW)
    trust = Trust(case.trust)
    theirs = Transfer(case.proof, trust, NOW.timestamp(), DATA)

    assert (mine.grant, mine.dataset, mine.sha256) == (
        theirs.grant["grant"],
        theirs.grant["dataset"],
        theirs.receipt["view_sha256"],
    )
    assert (mine.grant_index + 1, mine.done_index + 1) == (theirs.granted_at[1], theirs.done_at[1])
    assert mine.provider.model_dump(mode="json") == theirs.provider
    assert list(mine.root_signers) == trust.signers
    assert len(mine.witnesses) == len(theirs.witnesses)
    assert words(case.proof, case.trust, DATA) == ("good", "good")
    assert words(case.proof, case.trust, DATA[:-1]) == ("bad", "bad")


def test_no_value_of_a_proof_is_idle(cases: list[Case]) -> None:
    """Whatever value, field or item of a proof is changed, and packed again with care, both refuse it."""
    case, random = cases[0], seeded("mutations")
    good = plain(case.proof)
    accepted = []
    for _ in range(MUTATIONS):
        changed = canonical(mutated(json.loads(good), random))
        if changed != good:
            said = words(pack(changed), case.trust)
            accepted += [said] if "good" in said else []

    assert accepted == []


def test_no_value_of_a_signed_root_is_idle(cases: list[Case]) -> None:
    """Whatever is changed in a signed trust root, and digested again with care, both refuse it."""
    proof, random = cases[1].proof, seeded("roots")
    good = json.loads(TrustFile.of(signed_root(), None).canonical())
    accepted = []
    for _ in range(MUTATIONS):
        changed = mutated(json.loads(json.dumps(good)), random)
        changed.pop("digest", None)
        if changed != {name: good[name] for name in good if name != "digest"}:
            file = canonical({**changed, "digest": digest(canonical(changed))})
            said = words(proof, file)
            accepted += [said] if "good" in said else []

    assert accepted == []


def mutated(value: Any, random: Random) -> Any:  # Any: JSON
    """Change one place of a JSON value: another scalar, an item or field less, a field more."""
    places = list(_places(value))
    holder, key = random.choice(places)
    match holder[key]:
        case bool() as flag:
            holder[key] = not flag
        case int() as number:
            holder[key] = number + random.choice([-1, 1])
        case str() as text if text and random.random() < 0.9:
            at = random.randrange(len(text))
            holder[key] = text[:at] + random.choice("0aZ/\n") + text[at + 1 :]
        case dict() as fields if random.random() < 0.5:
            fields["zz"] = 1
        case list() as items if items and random.random() < 0.5:
            items.append(items[0])
        case _ if isinstance(holder, dict):
            del holder[key]
        case _:
            holder[key] = None
    return value


def _places(value: Any) -> Any:  # Any: JSON, and generators over it
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


@pytest.mark.parametrize("raw", [RAW, EQUAL, POWER], ids=["path", "equal", "power of two"])
def test_both_see_a_fork(raw: bytes) -> None:
    """Both find two histories in a fork file, at the same size and with the same two roots."""
    fork = verify_fork(raw, [KEY])
    small, other = check_fork(raw, [str(KEY)])

    assert (small.origin, small.size, small.root, other) == (
        fork.origin,
        fork.size,
        fork.root,
        fork.other_root,
    )


@given(st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_both_judge_forks_alike(size: int, other: int, honest: bool) -> None:
    """At any two sizes both see the fork where there is one, and accuse nobody where there is none."""
    old, new = min(size, other), max(size, other)
    tree = TREE if honest else FORKED
    try:
        raw = prove_fork(note(TREE, old), note(tree, new), KEY, fork_path(old, new, tree)).encode()
        expected = "good"
    except HeadwatersError:  # one history: put the same file together by hand
        notes = [b"".join(one.splitlines(keepends=True)[:5]) for one in (note(TREE, old), note(tree, new))]
        raw = b"\n\n".join([RAW.partition(b"\n")[0], b"\n".join(notes)])
        expected = "bad"

    assert ours(lambda: verify_fork(raw, [KEY])) == expected
    assert verdict(lambda: check_fork(raw, [str(KEY)])) == expected


def test_both_know_whom_a_fork_accuses() -> None:
    """A log that is not trusted here is undecided, and another key under the trusted name is no proof."""
    for keys, expected in (([OTHER.verifier_key], "bad"), ([], "undecided")):
        assert ours(partial(verify_fork, RAW, keys)) == expected
        assert verdict(partial(check_fork, RAW, [str(key) for key in keys])) == expected
