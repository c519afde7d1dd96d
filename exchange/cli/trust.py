"""``headwaters trust``: the provinces agree on one trust root, each with a root key that it keeps offline."""

from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.canonical import canonical_bytes
from contracts.errors import Refused
from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, show
from nodes.control import ControlClient

app = typer.Typer(no_args_is_help=True)

RootKey = Annotated[
    Path | None,
    typer.Option("--root-key", dir_okay=False, help="根密钥文件,缺省为 keys/root.key / the root key's file"),
]
RootFile = Annotated[
    Path | None,
    typer.Argument(exists=True, dir_okay=False, help="离线传递的信任根文件 / a root handed over by hand"),
]


class NotARootKey(Refused):
    """No participant of this trust root has this root key."""

    code = "not-a-root-key"
    title_zh = "该密钥不是此信任根中任何参与方的根密钥"
    next_zh = "核对 --root-key 指定的文件与参与方指纹(headwaters trust show)。"
    next_en = "Check the file that --root-key names and the fingerprints (headwaters trust show)."


@app.command("show")
def show_roots(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """现行信任根、待签提案与各省根密钥指纹 / the root in force, proposals, and root key fingerprints."""
    standing = ControlClient(home, person).get("/local/trust")
    show(standing, as_json=as_json, title="信任根 trust root")


@app.command()
def propose(
    home: NodeHome = NODE_HOME,
    key: RootKey = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="有效天数 / days of validity")] = 1095,
    to: Annotated[
        Path | None, typer.Option("--to", dir_okay=False, help="只写入文件,供离线签署 / only write the file")
    ] = None,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """按本节点所知拟出下一份信任根,签署并提交 / draw the next trust root, sign it and hand it in."""
    client = ControlClient(home, person)
    draft = client.get("/local/trust/draft", {"days": days})
    if to is not None:
        to.write_bytes(canonical_bytes(draft))
        show({"to": str(to)}, as_json=as_json, title="已拟出 drawn")
        return
    answer = client.post("/local/trust/signatures", _signed(draft, key or home / "keys" / "root.key"))
    show(answer, as_json=as_json, title="已拟议 proposed")


@app.command()
def sign(
    file: RootFile = None,
    home: NodeHome = NODE_HOME,
    key: RootKey = None,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """签署与本节点所知一致的提案;给出文件则离线签署 / sign the proposal; with a FILE, sign that offline."""
    place = key or home / "keys" / "root.key"
    if file is not None:
        signed = _signed_file(file, place)
        file.write_bytes(canonical_bytes(signed))
        show(
            {"file": str(file), "signatures": len(signed["signatures"])},
            as_json=as_json,
            title="已签署 signed",
        )
        return
    client = ControlClient(home, person)
    answer = client.post("/local/trust/signatures", _signed(client.get("/local/trust/proposal"), place))
    show(answer, as_json=as_json, title="已签署 signed")


@app.command()
def send(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="已离线签署的文件 / a signed file")
    ],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """提交离线签署的信任根 / hand in what was signed offline."""
    answer = ControlClient(home, person).post("/local/trust/signatures", _read(file))
    show(answer, as_json=as_json, title="已提交 handed in")


@app.command()
def adopt(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="各省已签署的文件 / a signed root")
    ],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """采信一份当面取得的信任根;经交换中心发布的会自动采信 / adopt a root that was handed over in person."""
    answer = ControlClient(home, person).post("/local/trust/adopt", _read(file))
    show(answer, as_json=as_json, title="已采信 adopted")


def _signed_file(file: Path, key: Path) -> dict[str, Any]:
    return _signed(_read(file), key)


def _read(file: Path) -> dict[str, Any]:
    """Read a root as it travels, or the signed one out of a node's ``trust.json``."""
    from audit.keys.trust_file import SignedRoot, TrustFile  # noqa: PLC0415

    raw = file.read_bytes()
    if raw.startswith(b'{"digest":'):
        root = TrustFile.read(raw).signed_root
        if root is None:
            raise NotARootKey("no province has signed the root in this file")
    else:
        root = SignedRoot.read(raw)
    value: dict[str, Any] = root.model_dump(mode="json")
    return value


def _signed(root: dict[str, Any], place: Path) -> dict[str, Any]:
    """Sign with the key at ``place``, in the name of the participant whose root key it is."""
    from audit.keys.signing import load_key  # noqa: PLC0415
    from audit.keys.trust_file import SignedRoot  # noqa: PLC0415

    given = SignedRoot.read(canonical_bytes(root))
    key = load_key(place)
    name = next((name for name, known in given.signed.root_keys().items() if known == key.public), None)
    if name is None:
        raise NotARootKey(f"{place.name} is not a root key that this root names")
    value: dict[str, Any] = given.with_signature(name, key).model_dump(mode="json")
    return value
