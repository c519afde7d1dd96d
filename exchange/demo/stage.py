"""Where the story is told: numbered scenes and lines on the terminal, on standard error under ``--json``."""

import time
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from contracts.clock import monotonic_seconds
from exchange.demo.alliance import StepFailed

T = TypeVar("T")
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.1
_COLOURS = {"✓": "green", "✗": "red", "!": "yellow"}


class Stage:
    """Prints what happens as it happens."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = monotonic_seconds()
        self._scene = 0

    def seconds(self) -> float:
        """Give the seconds since the story began."""
        return monotonic_seconds() - self._began

    def scene(self, zh: str, en: str) -> None:
        """Open the next scene."""
        self._scene += 1
        self.console.print(
            f"\n[bold cyan]{self._scene}. {escape(zh)}[/bold cyan]  "
            f"[dim]{escape(en)} · {self.seconds():.0f} s[/dim]"
        )

    def line(self, zh: str, en: str = "", *, mark: str = "✓") -> None:
        """Tell one thing that happened."""
        colour = _COLOURS.get(mark, "dim")
        self.console.print(f"   [{colour}]{mark}[/{colour}] {escape(zh)}  [dim]{escape(en)}[/dim]")


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """Ask until ``probe`` gives something; raise StepFailed when it has not after ``seconds``."""
    deadline = monotonic_seconds() + seconds
    while monotonic_seconds() < deadline:
        found = probe()
        if found is not None:
            return found
        # Another process is at work: a person would look again, and so does the story.
        time.sleep(PAUSE_SECONDS)
    raise StepFailed(f"{what} did not happen within {seconds:.0f} s")
