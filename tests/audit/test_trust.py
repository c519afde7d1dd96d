"""A trust root does not contradict itself, and what extends it changes nothing that was signed."""

from collections.abc import Callable

import pytest

from audit.formats.note import NoteSigner
from audit.keys.trust import (
    TrustedKey,
    TrustedLog,
    TrustedParticipant,
    TrustedWitness,
    TrustRoot,
    TrustRootInvalid,
    UnknownParticipant,
)
from contracts.messages import LogPlace, Text
from tests.audit.logs import NOW, ORIGIN, SIGNER, WITNESSES
from tests.audit.transfer_evidence import (
    CONSUMER_ID,
    EXCHANGE,
    PROVIDER,
    PROVIDER_ID,
    ROOT_KEYS,
    STRANGER,
    trust_root,
)

HERE = LogPlace(origin=ORIGIN, size=5)
ENDED = TrustedKey(key=PROVIDER.public.text, until=HERE, why="rotated")
NEW = TrustedKey(key=STRANGER.public.text)
NEXT = TrustedLog(origin="next.example", vkey=str(NoteSigner("next.example", STRANGER).verifier_key))
NEXT_KEY = TrustedKey(key=ROOT_KEYS[0].public.text)


def _party(root: TrustRoot, number: int = 0, **changes: object) -> list[TrustedParticipant]:
    parties = list(root.participants)
    parties[number] = parties[number].model_copy(update=changes)
    return parties


def test_a_sound_root_is_whole() -> None:
    """Keys, windows and numbers that fit make a root, and the policy of today asks for its quorum."""
    root = trust_root(participants=_party(trust_root(), node_keys=[ENDED, NEW])).checked()

    policy = root.witness_policy()
    assert policy.logs[0].key == SIGNER.verifier_key
    assert policy.satisfied_by({PROVIDER_ID, CONSUMER_ID})
    assert not policy.satisfied_by({PROVIDER_ID})
    assert root.participant(PROVIDER_ID).node_keys[-1].public == STRANGER.public


def test_an_unknown_participant_decides_nothing() -> None:
    """A participant that the file does not name cannot be judged."""
    with pytest.raises(UnknownParticipant):
        trust_root().participant("p-zzzzzzzzzzzz")


_X25519 = STRANGER.public.text.replace("ed25519", "x25519")
_FAULTS: dict[str, Callable[[TrustRoot], dict[str, object]]] = {
    "a log under another name": lambda r: {
        "logs": [r.logs[0].model_copy(update={"origin": "other.example"})]
    },
    "a log key that is none": lambda _: {"logs": [TrustedLog(origin=ORIGIN, vkey="x" * 20)]},
    "a log with a witness's key": lambda _: {
        "logs": [TrustedLog(origin=WITNESSES[0].name, vkey=str(WITNESSES[0].verifier_key))]
    },
    "a log twice": lambda r: {"logs": r.logs * 2},
    "a statement key of another suite": lambda _: {"statement_keys": [TrustedKey(key=_X25519)]},
    "a key in two roles": lambda _: {"statement_keys": [TrustedKey(key=PROVIDER.public.text)]},
    "a root key that is a node key": lambda r: {"participants": _party(r, root_key=PROVIDER.public.text)},
    "a participant twice": lambda r: {"participants": [*r.participants, r.participants[0]]},
    "a witness with a log's key": lambda r: {
        "participants": _party(r, witness_keys=[TrustedWitness(vkey=NEXT.vkey)])
    },
    "a witness under the log's name": lambda r: {
        "participants": _party(r, witness_keys=[TrustedWitness(vkey=r.logs[0].vkey)])
    },
    "an end without a reason": lambda r: {
        "participants": _party(r, node_keys=[ENDED.model_copy(update={"why": None}), NEW])
    },
    "a reason without an end": lambda r: {
        "participants": _party(r, node_keys=[NEW.model_copy(update={"why": "revoked"})])
    },
    "a current key before another": lambda r: {"participants": _party(r, node_keys=[NEW, ENDED])},
    "ends out of order": lambda r: {
        "participants": _party(
            r,
            node_keys=[
                ENDED,
                NEW.model_copy(update={"until": LogPlace(origin=ORIGIN, size=4), "why": "rotated"}),
            ],
        )
    },
    "an end in an unknown shard": lambda r: {
        "participants": _party(
            r, node_keys=[ENDED.model_copy(update={"until": LogPlace(origin="x", size=1)}), NEW]
        )
    },
    "too few witnesses": lambda _: {"quorum": 4},
    "too few root keys": lambda _: {"number": 1, "threshold": 4},
    "a first root with a predecessor": lambda r: {"number": 1, "previous": r.content_digest()},
    "a second root without one": lambda _: {"number": 2},
    "an end before the beginning": lambda _: {"expires_at": NOW},
}


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_root_that_contradicts_itself_is_refused(fault: str) -> None:
    """Malformed keys, keys in two roles, windows that do not fit, and impossible numbers are refused."""
    with pytest.raises(TrustRootInvalid):
        trust_root(**_FAULTS[fault](trust_root())).checked()


_GROWTH: dict[str, Callable[[TrustRoot], dict[str, object]]] = {
    "nothing": lambda _: {},
    "another shard": lambda r: {"logs": [*r.logs, NEXT]},
    "a participant that joined": lambda r: {
        "participants": [
            *r.participants,
            TrustedParticipant(
                participant="p-newcomerxxxx",
                name=Text(zh="丁省", en="Province D"),
                node_keys=[NEW],
                witness_keys=[],
                root_key=None,
            ),
        ]
    },
    "a key that was replaced": lambda r: {"participants": _party(r, node_keys=[ENDED, NEW])},
    "a key that was revoked": lambda r: {
        "statement_keys": [r.statement_keys[0].model_copy(update={"until": HERE, "why": "revoked"})]
    },
}


@pytest.mark.parametrize("growth", _GROWTH)
def test_what_only_adds_extends_a_root(growth: str) -> None:
    """Shards, participants, new keys and the ends of old ones may follow a root that was signed."""
    trust_root(**_GROWTH[growth](trust_root())).require_extends(trust_root())


_BREAKS: dict[str, Callable[[TrustRoot], dict[str, object]]] = {
    "another quorum": lambda _: {"quorum": 1},
    "another log": lambda _: {"logs": [NEXT]},
    "another statement key": lambda _: {"statement_keys": [NEW]},
    "a statement key before the signed one": lambda r: {
        "statement_keys": [NEW.model_copy(update={"until": HERE, "why": "rotated"}), *r.statement_keys]
    },
    "a participant left out": lambda r: {"participants": r.participants[1:]},
    "another name": lambda r: {"participants": _party(r, name=Text(zh="别省", en="Elsewhere"))},
    "another root key": lambda r: {"participants": _party(r, root_key=STRANGER.public.text)},
    "no root key": lambda r: {"participants": _party(r, root_key=None)},
    "another node key": lambda r: {"participants": _party(r, node_keys=[NEW])},
    "a witness left out": lambda r: {"participants": _party(r, witness_keys=[])},
}


@pytest.mark.parametrize("change", _BREAKS)
def test_what_changes_a_signed_root_does_not_extend_it(change: str) -> None:
    """Nothing that the provinces signed may be replaced, renamed or left out."""
    with pytest.raises(TrustRootInvalid):
        trust_root(**_BREAKS[change](trust_root())).require_extends(trust_root())


def test_an_end_that_was_signed_does_not_move() -> None:
    """The place at which a key ended cannot be moved afterwards, and an ended key does not come back."""
    signed = trust_root(participants=_party(trust_root(), node_keys=[ENDED, NEW]))
    later = ENDED.model_copy(update={"until": LogPlace(origin=ORIGIN, size=6)})
    revived = TrustedKey(key=ENDED.key)

    for keys in ([later, NEW], [revived, NEW], [ENDED]):
        with pytest.raises(TrustRootInvalid):
            trust_root(participants=_party(trust_root(), node_keys=keys)).require_extends(signed)


def test_every_key_is_named() -> None:
    """The list of keys holds logs, statement keys, and each participant's three kinds, ended ones too."""
    root = trust_root(participants=_party(trust_root(), node_keys=[ENDED, NEW]))

    assert {EXCHANGE.public.text, ENDED.key, NEW.key, ROOT_KEYS[2].public.text} <= root.key_texts()
    assert {str(SIGNER.verifier_key), str(WITNESSES[1].verifier_key)} <= root.key_texts()
