"""Write a bundle that an OPA server takes as it is: ``opa run --server --skip-verify --bundle FILE``.

With a key the archive is signed, and an OPA that has the public key takes no other.
"""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import Usage
from exchange.cli.output import JsonFlag, show
from exchange.cli.policy.app import BundlePath, app

if TYPE_CHECKING:
    from policies.bundle import Bundle

_LABELS = {
    "to": "文件 file",
    "policy": "策略包 policy",
    "files": "文件数 files in it",
    "size_bytes": "字节 bytes",
    "signed": "已签名 signed",
    "start": "启动 OPA start OPA with",
}


@app.command()
def bundle(
    to: Annotated[Path, typer.Option("--to", dir_okay=False, help="写入的文件 / the file to write")],
    source: BundlePath = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", dir_okay=False, help="P-256 签名私钥,不存在则新建 / key to sign with, made when missing"
        ),
    ] = None,
    public: Annotated[
        Path | None,
        typer.Option("--public", dir_okay=False, help="公钥写入此文件 / where the public key goes"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """写出 OPA 服务器可直接加载的策略包 / write a bundle that an OPA server takes as it is."""
    from policies.bundle import read_bundle, shipped_bundle  # noqa: PLC0415
    from policies.embedded import check_bundle  # noqa: PLC0415
    from policies.opa.signing import plain_archive  # noqa: PLC0415

    if public is not None and key is None:
        raise Usage("--public needs --key")
    chosen = read_bundle(source) if source else shipped_bundle()
    check_bundle(chosen)
    start = ["opa", "run", "--server"]
    if key is None:
        _write(to, plain_archive(chosen))
        start += ["--skip-verify"]
    else:
        pem = _signed(chosen, key, to)
        verified_with = public or to.with_name(to.name + ".pem")
        _write(verified_with, pem)
        start += ["--verification-key", str(verified_with), "--signing-alg", "ES256"]
    facts = {
        "to": str(to),
        "policy": chosen.digest,
        "files": len(chosen.sources),
        "size_bytes": to.stat().st_size,
        "signed": key is not None,
        "start": shlex.join([*start, "--bundle", str(to)]),
    }
    show(facts, as_json=as_json, title="策略包 policy bundle", labels=_LABELS)


def _signed(chosen: "Bundle", key: Path, to: Path) -> bytes:
    """Write the signed archive and give the public key."""
    from policies.opa.signing import create_key, load_key, public_pem, signed_archive  # noqa: PLC0415

    signer = load_key(key) if key.exists() else create_key(key)
    _write(to, signed_archive(chosen, signer))
    return public_pem(signer)


def _write(path: Path, raw: bytes) -> None:
    """Write a file whole or not at all: an OPA that watches it must not read half a bundle."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_bytes(raw)
        draft.replace(path)
    except OSError as error:
        from policies.opa.private_files import PolicyFileUnreadable  # noqa: PLC0415

        raise PolicyFileUnreadable(f"{path}: {error.strerror}") from error
