"""Chinese and English in one text, for forms that have room for one: the Chinese, a stroke, the English."""

from contracts.messages import Text

SEPARATOR = " / "


def join(text: Text) -> str:
    """Write both languages in one text; once where they are equal."""
    return text.zh if text.zh == text.en else f"{text.zh}{SEPARATOR}{text.en}"


def split(joined: str) -> tuple[str, str]:
    """Give the Chinese and the English of a text: the same text twice where it has one language."""
    zh, stroke, en = joined.partition(SEPARATOR)
    return (zh, en) if stroke and zh and en and SEPARATOR not in en else (joined, joined)


def splits(text: Text) -> bool:
    """Tell whether ``split`` gives back what ``join`` wrote."""
    return split(join(text)) == (text.zh, text.en)
