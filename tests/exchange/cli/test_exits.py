"""The command's exit codes: usage, unavailable, and a bug."""

import subprocess
import sys
from pathlib import Path

import pytest

from audit.keys.signing import create_key

BUG = """
import sys
from unittest import mock
from exchange import cli
sys.argv = ["headwaters", "doctor"]
mock.patch("exchange.cli.doctor._installation", side_effect=ZeroDivisionError).start()
cli.main()
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the interpreter with these arguments."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words", [("publish",), ("nonsense",), ("demo", "--data", "nowhere"), ("trust", "sign", "nowhere")]
)
def test_wrong_usage_exits_64(words: tuple[str, ...]) -> None:
    """A command that was typed wrongly ends with 64, never with the 2 of an undecidable proof."""
    assert run("-m", "exchange.cli", *words).returncode == 64


def test_a_process_that_is_not_running_exits_75(tmp_path: Path) -> None:
    """A command to a home that nothing serves says how to start it and ends with 75."""
    create_key(tmp_path / "people" / "operator.key")
    done = run("-m", "exchange.cli", "node", "status", "--home", str(tmp_path), "--as", "operator")

    assert done.returncode == 75
    assert "headwaters node serve" in done.stderr


def test_a_bug_exits_70_and_keeps_its_words_to_the_log() -> None:
    """An unexpected error ends with 70; the person reads a plain sentence in both languages."""
    done = run("-c", BUG)

    assert done.returncode == 70
    assert "源汇内部错误" in done.stderr
    assert done.stdout == ""
