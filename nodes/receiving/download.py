"""Fetch the bytes of one view into a partial file, and go on where an earlier attempt broke off.

Directly the bytes come as one stream; through the relay in sealed pieces of at most 4 MiB, each bound to its
grant and its place, so the exchange can neither read nor swap them. Nothing here judges the content: see
``judged``.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx

from audit.durable import sync_file
from contracts.errors import Unavailable
from contracts.messages import DeliveryRequest, LoggedGrant, Receipt, Wire
from contracts.problem import error_from
from nodes.answers import read_answer
from nodes.delivering.routes import SEALED_PIECE_BYTES, relay_info
from nodes.node import Node
from nodes.receiving.judged import DataAltered
from nodes.relay import ProviderLink, ProviderSilent

MAX_WORDS_BYTES = 256 * 1024  # of a receipt or a problem document
_READ_BYTES = 256 * 1024


class DownloadBroken(Unavailable):
    """The provider's stream ended too early."""

    code = "download-broken"
    title_zh = "下载中断"
    next_zh = "再次运行 headwaters pull,将从断点继续。"
    next_en = "Run headwaters pull again; it goes on where it stopped."


class InboxUnwritable(Unavailable):
    """The inbox does not take the bytes."""

    code = "inbox-unwritable"
    title_zh = "无法写入收件目录"
    next_zh = "检查磁盘空间后再次运行 headwaters pull,将从断点继续。"
    next_en = "Check the disk space and run headwaters pull again; it goes on where it stopped."


class DeliveryAnswer(Wire):
    """The provider's answer to a grant: its receipt."""

    receipt: str


def present(node: Node, link: ProviderLink, logged: LoggedGrant) -> str:
    """Hand the grant to the provider and give its receipt's envelope, not yet verified."""
    seal_to = node.sealing_key.public_text if link.relayed else None
    body = DeliveryRequest(logged=logged, seal_to=seal_to).canonical()
    try:
        with link.client.stream(
            "POST", "/deliveries", content=body, headers={"content-type": "application/json"}
        ) as answer:
            content = read_answer(answer, MAX_WORDS_BYTES)
    except httpx.TransportError as error:
        raise ProviderSilent(f"the provider does not answer: {type(error).__name__}") from error
    if not answer.is_success:
        raise error_from(answer.status_code, content)
    return DeliveryAnswer.parse(content).receipt


def download(node: Node, link: ProviderLink, receipt: Receipt, partial: Path) -> None:
    """Bring ``partial`` to its full length; raise DownloadBroken or the provider's refusal."""
    done = partial.stat().st_size if partial.exists() else 0
    if done > receipt.view_size_bytes:
        partial.unlink()
        done = 0
    if done < receipt.view_size_bytes:
        pieces = _sealed(node, link, receipt, done) if link.relayed else _direct(link, receipt, done)
        try:
            partial.touch(mode=0o600)
            with partial.open("ab") as file:
                for piece in pieces:
                    file.write(piece)
        except OSError as error:
            raise InboxUnwritable(f"the inbox does not take the bytes: {error.strerror}") from error
    sync_file(partial)


def _direct(link: ProviderLink, receipt: Receipt, done: int) -> Iterator[bytes]:
    """Stream the rest; never give more than is missing."""
    size = receipt.view_size_bytes
    missing = size - done
    headers = {"range": f"bytes={done}-{size - 1}", "accept-encoding": "identity"}
    try:
        with link.client.stream("GET", f"/deliveries/{receipt.grant}/data", headers=headers) as answer:
            if not answer.is_success:
                raise error_from(answer.status_code, read_answer(answer, MAX_WORDS_BYTES))
            _check_place(answer, receipt, f"bytes {done}-{size - 1}/{size}")
            for piece in answer.iter_raw(_READ_BYTES):
                missing -= len(piece)
                if missing < 0:
                    raise DataAltered("more bytes arrive than the provider signed for")
                yield piece
    except httpx.TransportError as error:
        raise DownloadBroken(f"{missing} bytes are missing: {type(error).__name__}") from error
    if missing:
        raise DownloadBroken(f"{missing} bytes are missing", missing=missing)


def _sealed(node: Node, link: ProviderLink, receipt: Receipt, done: int) -> Iterator[bytes]:
    size = receipt.view_size_bytes
    for first in range(done, size, SEALED_PIECE_BYTES):
        last = min(first + SEALED_PIECE_BYTES, size) - 1
        place = f"bytes {first}-{last}/{size}"
        sealed = _get(link, receipt, place, f"bytes={first}-{last}")
        piece = node.sealing_key.open(sealed, relay_info(receipt.grant, place))
        if len(piece) != last - first + 1:
            raise DataAltered("a sealed piece has another length than its place")
        yield piece


def _get(link: ProviderLink, receipt: Receipt, place: str, asked: str) -> bytes:
    try:
        with link.client.stream(
            "GET", f"/deliveries/{receipt.grant}/data", headers={"range": asked}
        ) as answer:
            content = read_answer(answer, SEALED_PIECE_BYTES + MAX_WORDS_BYTES)
    except httpx.TransportError as error:
        raise DownloadBroken(f"the relay does not answer: {type(error).__name__}") from error
    if not answer.is_success:
        raise error_from(answer.status_code, content)
    _check_place(answer, receipt, place)
    return content


def _check_place(answer: httpx.Response, receipt: Receipt, place: str) -> None:
    if answer.headers.get("content-range") != place:
        raise DataAltered(f"the provider sends another range than {place}")
    if answer.headers.get("etag") != f'"{receipt.view_sha256}"':
        raise DataAltered("the provider sends another view than it signed for")
