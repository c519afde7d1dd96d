"""Child processes of the demonstration: each serves one home and is stopped with the rest.

A child speaks one JSON line on standard output when it serves; its log goes to a file beside its home.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from contracts.errors import Unavailable

STOP_SECONDS = 10


class ChildDied(Unavailable):
    """A process of the demonstration ended before it served."""

    code = "child-died"
    title_zh = "演示进程未能启动"
    next_zh = "查看 detail 中给出的日志文件。"
    next_en = "Read the log file that the detail names."


def command(*words: str | Path) -> list[str]:
    """Spell a ``headwaters`` command for this interpreter."""
    return [sys.executable, "-m", "exchange.cli", *map(str, words)]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a ``headwaters`` command to its end and keep what it printed."""
    return subprocess.run(command(*words), capture_output=True, text=True, check=False, timeout=300)


def run_together(*commands: Sequence[str | Path]) -> list[subprocess.CompletedProcess[str]]:
    """Run commands side by side, one for each processor; give what each printed, in order."""
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda words: run(*words), commands))


class Child:
    """One serving process."""

    def __init__(self, name: str, words: list[str | Path], log: Path) -> None:
        self.name = name
        self.address = ""
        self._words = words
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Give the process id; only while it runs."""
        if self._process is None:
            raise ChildDied(f"{self.name} is not running; see {self._log}")
        return self._process.pid

    def launch(self) -> None:
        """Start the process without waiting for it."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command(*self._words), stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )

    def wait_until_serving(self) -> None:
        """Read the line that tells the address; raise ChildDied when the process ends instead."""
        process = self._process
        if process is None or process.stdout is None:
            raise ChildDied(f"{self.name} was not launched")
        for line in process.stdout:
            if line.startswith("{"):
                self.address = str(json.loads(line)["serving"])
                return
        raise ChildDied(f"{self.name} ended with {process.wait()}; see {self._log}")

    def start(self) -> None:
        """Start the process and wait until it serves."""
        self.launch()
        self.wait_until_serving()

    def stop(self) -> None:
        """Ask the process to end, and insist after ten seconds."""
        self.ask_to_stop()
        self.reap()

    def kill(self) -> None:
        """End the process as a power cut would (SIGKILL): nothing of it runs any more."""
        if self._process is not None:
            self._process.kill()
        self.reap()

    def ask_to_stop(self) -> None:
        """Send the polite signal without waiting."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def reap(self) -> None:
        """Wait for the end; kill what does not end by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
