"""Bytes as text, each in its one spelling (RFC 4648 s3.5, s4): base64 in which no bit is left over.

Python's own decoder passes over the unused bits of the last letter, so that several texts give the same
bytes; what is signed, hashed or compared must have only one.
"""

import base64
import binascii

from contracts.errors import Invalid


class NotBase64(Invalid):
    """The text is not the one base64 spelling of any bytes."""

    code = "not-base64"
    title_zh = "不是规范的 base64 文本"
    next_zh = "内容可能被改动或截断;重新获取后再试。"
    next_en = "The text may have been changed or cut off; get it again."


def to_base64(raw: bytes) -> str:
    """Write bytes as base64, with padding."""
    return base64.b64encode(raw).decode()


def from_base64(text: str) -> bytes:
    """Read what ``to_base64`` wrote; raise NotBase64 for every other text."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise NotBase64("a field is not base64") from error
    if to_base64(raw) != text:
        raise NotBase64("a field is not the one base64 spelling of its bytes")
    return raw
