"""Bytes have one spelling as text."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.spelling import NotBase64, from_base64, to_base64


@given(st.binary())
def test_bytes_come_back(raw: bytes) -> None:
    """What is written is read back, and is the base64 that everybody writes."""
    assert from_base64(to_base64(raw)) == raw
    assert to_base64(raw) == base64.b64encode(raw).decode()


@given(st.text() | st.text("AQw=+/\n", max_size=8))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Hostile text is the one spelling of its bytes, or NotBase64, and nothing else."""
    try:
        assert to_base64(from_base64(text)) == text
    except NotBase64:
        return


@pytest.mark.parametrize("text", ["QR==", "QQ", "QQ==\n", "Q Q=", "QQ==QQ==", "Qé==", "-_8=", "\ud800"])
def test_other_spellings_are_refused(text: str) -> None:
    """Unused bits, a lack of padding, white space, other alphabets and non-ASCII letters are refused."""
    with pytest.raises(NotBase64):
        from_base64(text)
