"""No registration and no rotation may lead to a directory or a trust root that nobody can believe."""

from collections.abc import Callable

import pytest

from audit.formats.note import KeyType, VerifierKey
from audit.keys.signing import SigningKey
from audit.keys.trust import MAX_KEYS
from contracts.messages import LogPlace, PastKey
from exchange.members.key_claims import KeysExhausted, check_count
from tests.exchange.provinces import ORIGIN, Exchange, Province, code
from tests.exchange.rotating import hand_in, replace

pytestmark = pytest.mark.anyio


def _cosigning(name: str, key: SigningKey) -> str:
    return str(VerifierKey(name, KeyType.COSIGNATURE, key.public))


@pytest.mark.parametrize(
    "of",
    [
        lambda _exchange, victim: victim.node_key,
        lambda _exchange, victim: victim.witness_key,
        lambda _exchange, victim: victim.root_key,
        lambda exchange, _victim: exchange.parts.statement_key,
    ],
    ids=["node", "witness", "root", "statement"],
)
async def test_nobody_registers_anothers_key_in_any_role(
    exchange: Exchange, of: Callable[[Exchange, Province], SigningKey]
) -> None:
    """A witness or root key is named without proof that it is one's own; a second holder stops every node."""
    victim, thief = await exchange.admit(rooted=True), await exchange.invite()
    key = of(exchange, victim)
    witness = thief.registration(witness_vkey=_cosigning(f"witness.example/{thief.participant}", key))
    root = thief.registration(root_key=key.public.text)

    assert code(await exchange.http.post("/join", content=witness)) == (409, "key-taken")
    assert code(await exchange.http.post("/join", content=root)) == (409, "key-taken")


@pytest.mark.parametrize("name", [ORIGIN, f"{ORIGIN}/2027h1", f"{ORIGIN}/p-aaaaaaaaaaaa", f"{ORIGIN}/sm3"])
async def test_a_witness_bears_no_name_of_the_logs(exchange: Exchange, name: str) -> None:
    """A witness named like the next shard, or like another witness to be, would end every trust root."""
    joining, member = await exchange.invite(), await exchange.admit()
    raw = joining.registration(witness_vkey=_cosigning(name, joining.witness_key))
    said, signers = replace(member, "witness")
    renamed = said.model_copy(update={"new": _cosigning(name, member.witness_key)})

    assert code(await exchange.http.post("/join", content=raw)) == (400, "wrong-witness-key")
    assert code(await hand_in(exchange, renamed, signers)) == (400, "wrong-witness-key")


async def test_below_the_logs_name_a_witness_has_its_own(exchange: Exchange) -> None:
    """The names that nodes make for themselves are taken, for the first key and for those that follow."""
    joining = await exchange.invite()
    name = f"{ORIGIN}/{joining.participant}"
    raw = joining.registration(witness_vkey=_cosigning(f"{name}/w2", joining.witness_key))

    assert (await exchange.http.post("/join", content=raw)).status_code == 202


def test_there_is_room_for_every_key_in_a_trust_root() -> None:
    """A key revoked and then replaced is one key; beyond what a root may list nothing is replaced."""
    ended = [
        PastKey(
            role="node",
            key=f"ed25519:{number:043d}=",
            until=LogPlace(origin=ORIGIN, size=number),
            why="rotated",
            statement="{}",
        )
        for number in range(MAX_KEYS - 1)
    ]

    check_count("node", [*ended[:-1], ended[0]])
    check_count("witness", ended)
    with pytest.raises(KeysExhausted):
        check_count("node", ended)


async def test_a_participant_cannot_fill_the_trust_root(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rotation that no trust root has room for is refused, and the log holds no entry of it."""
    monkeypatch.setattr("exchange.members.key_claims.MAX_KEYS", 2)
    province = await exchange.admit()
    first = await hand_in(exchange, *replace(province, "node"))
    size = exchange.parts.log.size()
    second = await hand_in(exchange, *replace(province, "node"))

    assert first.status_code == 200
    assert code(second) == (409, "keys-exhausted")
    assert exchange.parts.log.size() == size
