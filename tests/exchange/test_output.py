"""What the terminal shows: words of other provinces are shown, never obeyed."""

import pytest

from contracts.errors import Refused
from exchange.cli import output


def test_control_characters_of_others_are_shown_as_signs(capsys: pytest.CaptureFixture[str]) -> None:
    """A title or a reason with escape sequences, or with reversed writing, does nothing to a terminal."""
    hostile = "\x1b]0;owned\x07\x1b[2J\u202egpj.exe\x9b31m"
    output.show_rows([{"t": {"zh": hostile, "en": "x"}}], {"t": "title"}, as_json=False, title="rows")
    output.show({"t": hostile}, as_json=False, title="one")
    output.fail(Refused(hostile, reasons=[hostile]), as_json=False)
    shown = capsys.readouterr()

    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown.out + shown.err)
    assert "owned" in shown.out
