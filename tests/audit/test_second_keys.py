"""Second lines under a checkpoint: known from the trust root, verified where they stand, never counted."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audit.formats.note import NoteInvalid, NoteSignature, SecondLine, VerifierKeyInvalid, parse_note
from audit.formats.quorum import QuorumMissing, Witnessed
from audit.keys.second_keys import check_second_keys, is_line_name, line_name, read_second_key, second_keys_of
from audit.keys.suites import Suite, SuiteKey, create_suite_key
from audit.keys.trust import TrustedLog, TrustRoot, TrustRootInvalid
from audit.keys.trust_file import TrustFile
from audit.proofs.doubts import KEYS_NOT_SIGNED, SUITE_NOT_CHECKED
from audit.proofs.verify import TransferNotProven, Verdict, verify_transfer
from tests.audit.logs import NOW, ORIGIN, SIGNER, WITNESSES
from tests.audit.transfer_evidence import (
    Evidence,
    evidence,
    signed_root,
    trust,
    trust_root,
    with_checkpoint,
)

BOTH = (Suite.MLDSA44, Suite.SM2_SM3)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[Suite, SuiteKey]:
    """Give a key of each suite."""
    folder = tmp_path_factory.mktemp("suites")
    return {suite: create_suite_key(folder / suite, suite) for suite in Suite}


@pytest.fixture(scope="module")
def lines(keys: dict[Suite, SuiteKey]) -> dict[Suite, SecondLine]:
    """Give the second lines of the test's log."""
    return {suite: SecondLine(line_name(ORIGIN, suite), key) for suite, key in keys.items()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Give the evidence of one sound transfer without second lines."""
    return evidence(tmp_path_factory.mktemp("transfer"))


def _vkeys(lines: dict[Suite, SecondLine]) -> list[str]:
    return [str(line.verifier_key) for line in lines.values()]


def _logs(lines: dict[Suite, SecondLine]) -> list[TrustedLog]:
    return [TrustedLog(origin=ORIGIN, vkey=str(SIGNER.verifier_key), second_keys=_vkeys(lines))]


def _note(plain: Evidence, *signed: SecondLine) -> bytes:
    note = plain.done.proof.checkpoint_note
    return note + "".join(line.sign(parse_note(note).text, NOW) for line in signed).encode()


def _under(plain: Evidence, closing: bytes, granting: bytes | None = None) -> bytes:
    """Give the proof with other notes under its two entries."""
    moved = replace(
        plain,
        done=with_checkpoint(plain.done, closing),
        grant=with_checkpoint(plain.grant, closing if granting is None else granting),
    )
    return moved.proof()


def _verify(proof: bytes, trusted: TrustFile) -> Verdict:
    return verify_transfer(proof, None, trusted, now=NOW)


def test_a_proof_says_in_which_suites_the_log_signed(plain: Evidence, lines: dict[Suite, SecondLine]) -> None:
    """Both lines are verified and said; the same proof without them holds and says less."""
    known = trust(logs=_logs(lines))
    both = _verify(_under(plain, _note(plain, *lines.values())), known)
    one = _verify(_under(plain, _note(plain, lines[Suite.SM2_SM3])), known)

    assert both.suites == ("ed25519", "mldsa44", "sm2-sm3")
    assert one.suites == ("ed25519", "sm2-sm3")
    assert _verify(plain.proof(), known).suites == ("ed25519",)


def test_a_suite_counts_where_it_stands_under_every_checkpoint(
    plain: Evidence, lines: dict[Suite, SecondLine]
) -> None:
    """Where the grant's checkpoint lacks a line that the closing one has, the proof as a whole lacks it."""
    closing = _note(plain, *lines.values())
    granting = _note(plain, lines[Suite.MLDSA44])

    assert _verify(_under(plain, closing, granting), trust(logs=_logs(lines))).suites == (
        "ed25519",
        "mldsa44",
    )


@pytest.mark.parametrize("suite", BOTH)
@pytest.mark.parametrize("at", [0, 8, 40, -1])
def test_a_flipped_byte_in_either_line_is_refused(
    plain: Evidence, lines: dict[Suite, SecondLine], suite: Suite, at: int
) -> None:
    """A line under a known key that does not hold condemns the checkpoint, like any known key's."""
    note = parse_note(_note(plain, *lines.values()))
    spoilt = tuple(
        _flipped(one, at) if one.name == line_name(ORIGIN, suite) else one for one in note.signatures
    )

    with pytest.raises(TransferNotProven) as caught:
        _verify(_under(plain, replace(note, signatures=spoilt).encode()), trust(logs=_logs(lines)))
    assert caught.value.facts["step"] == 2


def _flipped(line: NoteSignature, at: int) -> NoteSignature:
    raw = bytearray(line.raw)
    raw[at] ^= 1
    return replace(line, raw=bytes(raw))


def test_a_root_without_the_keys_passes_over_the_lines(
    plain: Evidence, lines: dict[Suite, SecondLine]
) -> None:
    """Who does not know the second keys accepts the same proof, and claims nothing of the lines."""
    verdict = _verify(_under(plain, _note(plain, *lines.values())), trust())

    assert verdict.suites == ("ed25519",)
    assert SUITE_NOT_CHECKED not in verdict.not_proven


def test_the_key_of_another_log_knows_nothing_here(plain: Evidence, keys: dict[Suite, SuiteKey]) -> None:
    """The same key under another log's name is another key: its line is passed over."""
    foreign = SecondLine(line_name("other.example", Suite.MLDSA44), keys[Suite.MLDSA44])
    own = SecondLine(line_name(ORIGIN, Suite.MLDSA44), keys[Suite.MLDSA44])
    logs = _logs({Suite.MLDSA44: own})

    assert _verify(_under(plain, _note(plain, foreign)), trust(logs=logs)).suites == ("ed25519",)


def test_second_lines_make_no_quorum(plain: Evidence, lines: dict[Suite, SecondLine]) -> None:
    """One witness and two second lines are one witness: the quorum of two is missing."""
    text = parse_note(plain.done.proof.checkpoint_note).text
    second = [line.sign(text, NOW) for line in lines.values()]
    note = "".join([text, "\n", SIGNER.sign(text), *second, WITNESSES[0].cosign(text, NOW)]).encode()

    with pytest.raises(QuorumMissing) as caught:
        trust_root(logs=_logs(lines)).check(note, now=NOW)
    assert caught.value.facts["have"] == 1


def test_second_lines_do_not_stand_for_the_log(plain: Evidence, lines: dict[Suite, SecondLine]) -> None:
    """A checkpoint that the log did not sign in Ed25519 is none, whatever other lines it carries."""
    note = parse_note(_note(plain, *lines.values()))
    without = replace(note, signatures=tuple(one for one in note.signatures if one.name != ORIGIN))

    with pytest.raises(NoteInvalid):
        trust_root(logs=_logs(lines)).check(without.encode(), now=NOW)


def test_a_machine_without_the_sm2_library_judges_the_rest(
    plain: Evidence, lines: dict[Suite, SecondLine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the library the SM2 line is not claimed and the verdict says so; ML-DSA is checked as ever."""
    proof, known = _under(plain, _note(plain, *lines.values())), trust(logs=_logs(lines))
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    verdict = _verify(proof, known)

    assert verdict.suites == ("ed25519", "mldsa44")
    assert SUITE_NOT_CHECKED in verdict.not_proven
    assert SUITE_NOT_CHECKED not in _verify(plain.proof(), known).not_proven


def test_what_was_not_checked_is_told_apart(
    plain: Evidence, lines: dict[Suite, SecondLine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint names the second keys whose lines hold, and those that this machine cannot judge."""
    root, note = trust_root(logs=_logs(lines)), _note(plain, *lines.values())
    mldsa, sm2 = (line.verifier_key for line in lines.values())
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    seen: Witnessed = root.check(note, now=NOW)

    assert (seen.second_keys, seen.unchecked, seen.suites) == ((mldsa,), (sm2,), ("ed25519", "mldsa44"))


def test_second_keys_that_no_province_signed_are_named(
    plain: Evidence, lines: dict[Suite, SecondLine]
) -> None:
    """A verdict that leans on second keys from the writer's own view names them, shortly."""
    signed, own = signed_root(), trust_root(number=1, logs=_logs(lines))
    file = TrustFile.of(signed, own)
    verdict = _verify(_under(plain, _note(plain, *lines.values())), file)

    named = {text.partition("+")[0] for text in verdict.unsigned_keys}
    assert named == {line_name(ORIGIN, suite) for suite in BOTH}
    assert all(len(text) < 400 for text in verdict.unsigned_keys)
    assert KEYS_NOT_SIGNED in verdict.not_proven


def test_a_trust_file_keeps_second_keys(lines: dict[Suite, SecondLine], tmp_path: Path) -> None:
    """Signed and own roots with second keys come back from the file as they went in."""
    signed = signed_root(logs=_logs(lines))
    file = TrustFile.of(signed, signed.signed)
    (tmp_path / "trust.json").write_bytes(file.canonical())

    assert TrustFile.load(tmp_path / "trust.json") == file
    assert set(_vkeys(lines)) <= file.root.key_texts()
    assert b'"second_keys":[]' in trust().canonical()


_FAULTS: dict[str, Callable[[list[str], list[str]], list[str]]] = {
    "one twice": lambda own, _: [own[0], own[0]],
    "of another log": lambda _, foreign: foreign,
    "the log's own key": lambda _own, _foreign: [str(SIGNER.verifier_key)],
    "a witness's": lambda _own, _foreign: [str(WITNESSES[0].verifier_key)],
    "no key": lambda _own, _foreign: ["x" * 20],
}


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_root_refuses_second_keys_that_are_not_the_logs(
    keys: dict[Suite, SuiteKey], lines: dict[Suite, SecondLine], fault: str
) -> None:
    """A second key is of a second suite, stands once, and bears its own log's name."""
    foreign = [str(SecondLine(line_name("other.example", s), key).verifier_key) for s, key in keys.items()]
    log = _logs(lines)[0].model_copy(update={"second_keys": _FAULTS[fault](_vkeys(lines), foreign)})

    with pytest.raises(TrustRootInvalid):
        trust_root(logs=[log]).checked()


def test_a_suite_is_no_name_for_another_suite(keys: dict[Suite, SuiteKey]) -> None:
    """An SM2 key under the name of the ML-DSA line is refused: the name says the suite."""
    crossed = SecondLine(line_name(ORIGIN, Suite.MLDSA44), keys[Suite.SM2_SM3])

    with pytest.raises(VerifierKeyInvalid):
        read_second_key(str(crossed.verifier_key))


def _grown(root: TrustRoot, texts: list[str]) -> TrustRoot:
    return root.model_copy(update={"logs": [root.logs[0].model_copy(update={"second_keys": texts})]})


def test_a_later_root_adds_second_keys_and_changes_none(lines: dict[Suite, SecondLine]) -> None:
    """Keys of second lines may join a log that was signed; none of them is dropped, moved or replaced."""
    root, (first, second) = trust_root(), _vkeys(lines)
    _grown(root, [first]).require_extends(root)
    _grown(root, [first, second]).require_extends(_grown(root, [first]))

    for changed in ([], [second], [second, first]):
        with pytest.raises(TrustRootInvalid):
            _grown(root, changed).require_extends(_grown(root, [first]))


def test_second_keys_are_sorted_to_their_logs(
    keys: dict[Suite, SuiteKey], lines: dict[Suite, SecondLine]
) -> None:
    """Of a directory's list each shard takes what bears its name, and the list holds no two alike."""
    nested = f"{ORIGIN}/mldsa44"
    foreign = [str(SecondLine(line_name(nested, s), key).verifier_key) for s, key in keys.items()]
    every = [*_vkeys(lines), *foreign]
    check_second_keys(every)

    assert second_keys_of(ORIGIN, every) == _vkeys(lines)
    assert second_keys_of(nested, every) == foreign
    with pytest.raises(VerifierKeyInvalid):
        check_second_keys([*every, every[0]])


def test_the_names_of_second_lines_are_nobody_elses() -> None:
    """Whatever ends like a second line or a twin is a log's; a participant's name is not."""
    names = [line_name("any.example/2027h1", suite) for suite in Suite]

    assert all(map(is_line_name, [*names, "any.example/sm3"]))
    assert not any(map(is_line_name, [ORIGIN, f"{ORIGIN}/p-abcdefghijkm", f"{ORIGIN}/p-abcdefghijkm/w2"]))
