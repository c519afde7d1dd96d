"""Sealed words: read by the other side alone, for the objection and the digest that were signed."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from audit.keys.signing import SealingKey
from contracts.messages import StepWords
from nodes.correcting.sealed import fresh_salt, open_words, seal_words

NAME, OTHER = "o-aaaaaaaaaaaa", "o-bbbbbbbbbbbb"
KEY = SealingKey.generate()


def said(words: str) -> StepWords:
    """Say something."""
    return StepWords(salt=fresh_salt(), words=words)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=2000))
def test_what_is_sealed_is_what_is_read(words: str) -> None:
    """Any words arrive as they are, and fit the exchange's limit for a step."""
    message = said(words)
    sealed = seal_words(message, NAME, KEY.public_text)

    assert open_words(sealed, StepWords, NAME, message.content_digest(), KEY) == message
    assert len(sealed) <= 32 * 1024


@given(st.data())
def test_no_changed_byte_opens(data: st.DataObject) -> None:
    """A bit that is turned anywhere leaves nothing to read."""
    message = said("the probe was out of the water")
    raw = bytearray(base64.b64decode(seal_words(message, NAME, KEY.public_text)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    changed = base64.b64encode(bytes(raw)).decode()

    assert open_words(changed, StepWords, NAME, message.content_digest(), KEY) is None


@given(st.text(max_size=200))
def test_whatever_text_comes_is_read_or_is_nothing(text: str) -> None:
    """An exchange that sends anything else gains no error."""
    assert open_words(text, StepWords, NAME, said("x").content_digest(), KEY) is None


def test_words_belong_to_one_objection_and_one_digest() -> None:
    """Neither another objection's words, nor other words than were signed, nor another's key."""
    message, other = said("yes"), said("no")
    sealed = seal_words(message, NAME, KEY.public_text)
    digest = message.content_digest()

    assert open_words(sealed, StepWords, OTHER, digest, KEY) is None
    assert open_words(sealed, StepWords, NAME, other.content_digest(), KEY) is None
    assert open_words(sealed, StepWords, NAME, digest, SealingKey.generate()) is None
    assert open_words(None, StepWords, NAME, digest, KEY) is None
