"""How much the far side of a call may answer: read piece by piece up to a limit, and never unpacked.

Exchange and provider may be hostile, and a short compressed body can unpack to more than a machine's memory;
so calls ask for plain bytes and take nothing else. Whatever breaks on the way is a ``httpx.TransportError``,
the one family of errors that callers translate.
"""

import httpx

from contracts.errors import TooLarge

PLAIN = {"accept-encoding": "identity"}
"""The headers of a client whose answers ``read_answer`` reads."""

MAX_ANSWER_BYTES = 16 * 1024 * 1024


class FarAnswerTooLarge(TooLarge):
    """The other side's answer is larger than the limit, or compressed."""

    code = "far-answer-too-large"
    title_zh = "对方的应答超过大小限制或经过压缩"
    next_zh = "核对对方地址与中间代理;应答不得压缩。"
    next_en = "Check the address and any proxy on the way; answers must not be compressed."


def read_answer(response: httpx.Response, limit_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    """Read a streamed answer whole; raise FarAnswerTooLarge."""
    _check_head(response, limit_bytes)
    body = bytearray()
    for piece in response.iter_bytes():
        _take(body, piece, limit_bytes)
    return bytes(body)


async def aread_answer(response: httpx.Response, limit_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    """Read a streamed answer whole on the event loop; raise FarAnswerTooLarge."""
    _check_head(response, limit_bytes)
    body = bytearray()
    async for piece in response.aiter_bytes():
        _take(body, piece, limit_bytes)
    return bytes(body)


def _check_head(response: httpx.Response, limit_bytes: int) -> None:
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise FarAnswerTooLarge("the answer is compressed, so its size cannot be bounded")
    declared = response.headers.get("content-length", "0")
    if len(declared) > len(str(limit_bytes)):
        raise FarAnswerTooLarge(f"an answer has at most {limit_bytes} bytes")


def _take(body: bytearray, piece: bytes, limit_bytes: int) -> None:
    if len(body) + len(piece) > limit_bytes:
        raise FarAnswerTooLarge(f"an answer has at most {limit_bytes} bytes")
    body += piece
