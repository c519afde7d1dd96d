"""A trust root is one file that does not contradict itself."""

from pathlib import Path

import pytest

from audit.trust import TrustRoot, TrustRootInvalid, TrustRootMissing, UnknownParticipant
from contracts.canonical import Json, canonical_bytes, parse_canonical
from tests.audit.logs import POLICY, WITNESSES
from tests.audit.transfer_evidence import EXCHANGE, PROVIDER, PROVIDER_ID, STRANGER, trust_root


def _with(**fields: Json) -> bytes:
    value = parse_canonical(trust_root().canonical())
    assert isinstance(value, dict)
    return canonical_bytes({**value, **fields})


def test_a_trust_root_survives_its_file(tmp_path: Path) -> None:
    """What is written is read back, with keys and policy ready for use."""
    path = tmp_path / "trust.json"
    path.write_bytes(trust_root().canonical())

    root = TrustRoot.load(path)

    assert root == trust_root()
    assert (root.exchange_key(), root.witness_policy()) == (EXCHANGE.public, POLICY)
    assert root.participant(PROVIDER_ID).key() == PROVIDER.public


def test_a_missing_file_decides_nothing(tmp_path: Path) -> None:
    """Without a trust root the answer is neither yes nor no."""
    with pytest.raises(TrustRootMissing) as caught:
        TrustRoot.load(tmp_path / "none.json")

    assert caught.value.exit_code == 2


def test_an_unknown_participant_decides_nothing() -> None:
    """A participant that the file does not name cannot be judged."""
    with pytest.raises(UnknownParticipant):
        trust_root().participant("p-zzzzzzzzzzzz")


_TWICE: Json = [one.model_dump(mode="json") for one in trust_root().participants[:1]] * 2


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b" " * (1024 * 1024 + 1),
        _with(extra=1),
        _with(version=2),
        _with(origin="other.example"),
        _with(log_vkey="x"),
        _with(log_vkey=str(WITNESSES[0].verifier_key)),
        _with(statement_key="ed25519:short"),
        _with(statement_key=STRANGER.public.text.replace("ed25519", "x25519")),
        _with(policy="quorum none\n"),
        _with(policy=POLICY.format().replace(str(POLICY.logs[0].key), str(POLICY.logs[0].key)[:-1])),
        _with(participants=_TWICE),
    ],
)
def test_a_malformed_trust_root_is_refused(raw: bytes) -> None:
    """Unknown fields, malformed keys, a policy of another log, or a party named twice are refused."""
    with pytest.raises(TrustRootInvalid):
        TrustRoot.read(raw)
