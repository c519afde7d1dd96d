"""The witness policy: its file, its arithmetic, and what it takes for evidence."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import Cosigner
from audit.formats.merkle import EMPTY_ROOT
from audit.formats.note import NoteInvalid, NoteSigner, format_note
from audit.formats.quorum import MAX_NAMES, MAX_SKEW_SECONDS, PolicyInvalid, QuorumMissing, WitnessPolicy
from audit.keys.signing import SigningKey

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LOG = NoteSigner("audit.example/log", SigningKey.from_seed(b"\x01" * 32))
WITNESSES = {
    f"w{number}": Cosigner(f"w{number}.example", SigningKey.from_seed(bytes([number]) * 32))
    for number in range(11, 18)
}
KEYS = {name: witness.verifier_key for name, witness in WITNESSES.items()}
POLICY = WitnessPolicy.k_of_n(LOG.verifier_key, KEYS, 5)
CHECKPOINT = Checkpoint("audit.example/log", 0, EMPTY_ROOT)
TEXT = str(CHECKPOINT)
W1, W2, W3 = str(KEYS["w11"]), str(KEYS["w12"]), str(KEYS["w13"])


def note(*names: str, at: datetime = NOW, log: NoteSigner = LOG) -> bytes:
    """Write the checkpoint with the log's signature and the named witnesses' cosignatures."""
    return format_note(TEXT, [log.sign(TEXT), *(WITNESSES[name].cosign(TEXT, at) for name in names)])


def test_five_of_seven() -> None:
    """Any five of seven witnesses are a quorum, and no four are."""
    for names in combinations(WITNESSES, 5):
        assert POLICY.satisfied_by(set(names))
    for too_few in combinations(WITNESSES, 4):
        assert not POLICY.satisfied_by(set(too_few))


def test_a_quorum_is_evidence() -> None:
    """A cosigned checkpoint comes back with the cosignatures that count and their times."""
    witnessed = POLICY.check(note("w11", "w12", "w13", "w14", "w15"), now=NOW)

    assert witnessed.checkpoint == CHECKPOINT
    assert [one.name for one in witnessed.cosignatures] == [f"w{n}.example" for n in range(11, 16)]
    assert {one.at for one in witnessed.cosignatures} == {NOW}


def test_too_few_is_undecided() -> None:
    """Four of seven are neither yes nor no, and the refusal says how many there are."""
    with pytest.raises(QuorumMissing) as caught:
        POLICY.check(note("w11", "w12", "w13", "w14"), now=NOW)

    assert caught.value.facts["have"] == 4
    assert caught.value.exit_code == 2


def test_strangers_do_not_count() -> None:
    """A cosignature by a key outside the policy is ignored."""
    policy = WitnessPolicy.k_of_n(LOG.verifier_key, {"w11": KEYS["w11"]}, 1)
    with pytest.raises(QuorumMissing):
        policy.check(note("w12", "w13"), now=NOW)


def test_the_log_must_have_signed() -> None:
    """Without the log's own valid signature, seven cosignatures prove nothing."""
    other = NoteSigner("audit.example/log", SigningKey.from_seed(b"\x02" * 32))
    with pytest.raises(NoteInvalid):
        POLICY.check(note(*WITNESSES, log=other), now=NOW)


def test_the_log_speaks_for_its_own_origin() -> None:
    """A trusted log's key over a checkpoint of another origin is refused."""
    text = str(Checkpoint("audit.example/other", 0, EMPTY_ROOT))
    with pytest.raises(NoteInvalid, match="origin"):
        POLICY.check(format_note(text, [LOG.sign(text)]), now=NOW)


def test_a_known_witness_that_fails_condemns_the_note() -> None:
    """One invalid cosignature by a known key makes the note invalid, even above the quorum."""
    good = note(*WITNESSES)
    line = WITNESSES["w17"].cosign(TEXT, NOW)
    other = WITNESSES["w17"].cosign(str(Checkpoint("audit.example/log", 1, b"\x01" * 32)), NOW)
    with pytest.raises(NoteInvalid):
        POLICY.check(good.replace(line.encode(), other.encode()), now=NOW)


def test_the_future_does_not_count() -> None:
    """Cosignatures further ahead than the allowed skew are not counted, and the refusal says so."""
    ahead = NOW + timedelta(seconds=MAX_SKEW_SECONDS)
    POLICY.check(note(*WITNESSES, at=ahead), now=NOW)
    with pytest.raises(QuorumMissing) as caught:
        POLICY.check(note(*WITNESSES, at=ahead + timedelta(seconds=1)), now=NOW)

    assert caught.value.facts["ahead"] == 7


@pytest.mark.parametrize(
    "raw", [b"", b"text\n", format_note("no checkpoint\n", [LOG.sign("no checkpoint\n")])]
)
def test_what_is_no_checkpoint(raw: bytes) -> None:
    """What is no signed checkpoint is invalid, not undecided."""
    with pytest.raises(NoteInvalid):
        POLICY.check(raw, now=NOW)


def test_a_policy_reads_back() -> None:
    """A policy file reads back as the same policy, comments and spacing aside."""
    text = (
        f"# the alliance\n\nlog {LOG.verifier_key} https://audit.example/\n"
        f"witness\ta {W1}  https://a.example/\nwitness b {W2}\nwitness c {W3}\n"
        "group pair any a b\ngroup all-of all pair c\nquorum all-of\n"
    )
    policy = WitnessPolicy.parse(text)

    assert WitnessPolicy.parse(policy.format()) == policy
    assert policy.logs[0].url == "https://audit.example/"
    assert [policy.satisfied_by(names) for names in ({"a", "c"}, {"b", "c"}, {"a", "b"}, {"c"})] == [
        True,
        True,
        False,
        False,
    ]


def test_no_quorum_asks_for_no_witness() -> None:
    """Under ``quorum none`` the log's signature is enough."""
    policy = WitnessPolicy.parse(f"log {LOG.verifier_key}\nquorum none\n")

    assert policy.check(note(), now=NOW).cosignatures == ()


HEAD = f"log {LOG.verifier_key}\nwitness a {W1}\nwitness b {W2}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD,
        "quorum none\n",
        HEAD + "quorum c\n",
        HEAD + "quorum a\nquorum b\n",
        HEAD + f"witness a {W3}\nquorum a\n",
        HEAD + f"witness c {W1}\nquorum a\n",
        HEAD + f"witness none {W3}\nquorum a\n",
        HEAD + "group a any b\nquorum a\n",
        HEAD + "group g 0 a b\nquorum g\n",
        HEAD + "group g 3 a b\nquorum g\n",
        HEAD + "group g 01 a b\nquorum g\n",
        HEAD + "group g any\nquorum g\n",
        HEAD + "group g any a a\nquorum g\n",
        HEAD + "group g any a\ngroup h any a\nquorum g\n",
        HEAD + "group g any h\ngroup h any a\nquorum g\n",
        HEAD + f"log {W3}\nquorum a\n",
        HEAD + f"witness c {LOG.verifier_key}\nquorum a\n",
        HEAD + f"log {LOG.verifier_key}\nquorum a\n",
        HEAD + "witness c nonsense\nquorum a\n",
        HEAD + "mirror m x\nquorum a\n",
        HEAD + "quorum a # why\n",
        HEAD + "quorum a\n" + "#" * 70_000,
        "".join(
            f"log {NoteSigner('l', SigningKey.from_seed(bytes([n]) * 32)).verifier_key}\n"
            for n in range(MAX_NAMES + 1)
        )
        + "quorum none\n",
    ],
)
def test_malformed_policies(text: str) -> None:
    """Unknown words and names, second definitions, second keys and impossible groups are refused."""
    with pytest.raises(PolicyInvalid):
        WitnessPolicy.parse(text)


def test_an_impossible_quorum_is_not_made() -> None:
    """Nobody can ask for none of the witnesses, or for more than there are."""
    for k in (0, 8):
        with pytest.raises(PolicyInvalid):
            WitnessPolicy.k_of_n(LOG.verifier_key, KEYS, k)


@given(st.text(max_size=100))
def test_any_text_is_a_policy_or_refused(text: str) -> None:
    """No text crashes the parser."""
    try:
        policy = WitnessPolicy.parse(HEAD + text)
    except PolicyInvalid:
        return

    assert WitnessPolicy.parse(policy.format()) == policy
