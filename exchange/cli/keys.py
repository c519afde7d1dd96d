"""``rotate-key`` and ``revoke-key``, of a node for its own keys and of the exchange."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from exchange.cli.output import EXCHANGE_HOME, NODE_HOME, ExchangeHome, JsonFlag, NodeHome, Person, show
from nodes.control import ControlClient

NodeRole = Annotated[
    Literal["node", "witness", "sealing"],
    typer.Option("--role", help="节点、见证或封装密钥 / which key"),
]
RevocableRole = Annotated[
    Literal["node", "witness"], typer.Option("--role", help="节点或见证密钥 / which key")
]
Reason = Annotated[
    Literal["compromised", "lost", "retired"],
    typer.Option("--reason", help="泄露、遗失或停用 / why it counts no more"),
]
RootKey = Annotated[
    Path | None,
    typer.Option(
        "--root-key",
        dir_okay=False,
        help="旧密钥已不能签署时,由根密钥签署 / the root key signs where the old key no longer may",
    ),
]


def rotate_node_key(
    role: NodeRole,
    root_key: RootKey = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """更换本节点的密钥,新旧密钥共同签署 / replace a key of this node; old and new key sign."""
    body = {"role": role, "root_key": None if root_key is None else str(root_key.absolute())}
    answer = ControlClient(home, person).post("/local/keys/rotate", body)
    show(answer, as_json=as_json, title="密钥已更换 key replaced")


def revoke_node_key(
    role: RevocableRole,
    reason: Reason,
    root_key: RootKey = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """吊销本节点的密钥,此前已入日志的签名仍有效 / revoke a key of this node; what is logged stays valid."""
    root = None if root_key is None else str(root_key.absolute())
    body = {"role": role, "reason": reason, "root_key": root}
    answer = ControlClient(home, person).post("/local/keys/revoke", body)
    show(answer, as_json=as_json, title="密钥已吊销 key revoked")


def rotate_exchange_key(
    role: Annotated[
        Literal["statement"], typer.Option("--role", help="交换中心的声明密钥 / the exchange's key")
    ] = "statement",
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """更换交换中心的声明密钥 / replace the key that the exchange signs statements with."""
    answer = ControlClient(home, person or "administrator").post(f"/operator/keys/{role}")
    show(answer, as_json=as_json, title="密钥已更换 key replaced")


def revoke_member_key(
    participant: Annotated[str, typer.Argument(help="参与方编号 / participant's id")],
    role: RevocableRole,
    reason: Reason,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """吊销参与方的密钥;吊销节点密钥即暂停该参与方 / revoke a member's key; a node key's suspends it."""
    answer = ControlClient(home, person or "administrator").post(
        f"/operator/members/{participant}/revoke-key", {"role": role, "reason": reason}
    )
    show(answer, as_json=as_json, title="密钥已吊销 key revoked")
