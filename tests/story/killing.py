"""Rounds of killing: while one side publishes and the other pulls, one process after the other is killed.

The processes get SIGKILL at a seeded random moment and are started again; publishing and pulling simply go on
trying, as people's scripts would. Whatever anybody was told on the way is kept, to be held against the log.
"""

import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from contracts.clock import monotonic_seconds
from contracts.errors import HeadwatersError
from exchange.demo.stage import wait_for
from tests.story.small_alliance import DATASET, SmallAlliance, readings

AHEAD = 6  # releases that wait for the consumer, so that there is always something to pull
PAUSE_SECONDS = 0.4
CATCH_UP_SECONDS = 60.0


@dataclass
class Told:
    """What was acknowledged to somebody while processes died, and what the killing cost."""

    published: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: set[bytes] = field(default_factory=set)
    troubles: set[str] = field(default_factory=set)
    kills: dict[str, int] = field(default_factory=dict)
    kills_during_a_pull: int = 0
    seconds: float = 0.0


class Killing:
    """Publishes, pulls and kills; ``run`` gives what everybody was told."""

    def __init__(self, small: SmallAlliance, seed: int) -> None:
        self.small = small
        self.told = Told()
        self._random = random.Random(seed)  # noqa: S311  # a moment, no secret
        self._no_more = threading.Event()
        self._enough = threading.Event()
        self._inside_a_pull = threading.Event()
        self._broke: list[BaseException] = []

    def run(self, rounds: int) -> Told:
        """Play the rounds, then let everything arrive and the outboxes drain."""
        began = monotonic_seconds()
        publishing = threading.Thread(target=self._work, args=(self._publish, self._no_more), daemon=True)
        pulling = threading.Thread(target=self._work, args=(self._pull, self._enough), daemon=True)
        publishing.start()
        pulling.start()
        try:
            for number in range(rounds):
                self._round(list(self.small.processes)[number % 3])
            self._no_more.set()
            publishing.join(CATCH_UP_SECONDS)
            wait_for("the last release", lambda: self._arrived() == self.releases() or None, CATCH_UP_SECONDS)
        finally:
            self._no_more.set()
            self._enough.set()
            publishing.join(CATCH_UP_SECONDS)
            pulling.join(CATCH_UP_SECONDS)
        for error in self._broke:
            raise error
        self.small.drain()
        self._listen()
        self.told.seconds = monotonic_seconds() - began
        return self.told

    def releases(self) -> int:
        """Count the releases that were published; the first came with the alliance."""
        return 1 + len(self.told.published)

    def _round(self, name: str) -> None:
        before = self._arrived()
        wait_for(f"a transfer before {name} is killed", lambda: self._moved(before), CATCH_UP_SECONDS)
        self._listen()
        self._enough.wait(self._random.random())
        victim = self.small.processes[name]
        self.told.kills_during_a_pull += self._inside_a_pull.is_set()
        victim.kill()
        victim.start()
        self.told.kills[name] = self.told.kills.get(name, 0) + 1

    def _moved(self, before: int) -> bool | None:
        for error in self._broke:
            raise error
        return True if self._arrived() > before else None

    def _arrived(self) -> int:
        return len(list((self.small.homes["consumer"] / "inbox" / DATASET).glob("*.parquet")))

    def _work(self, step: Callable[[], None], stop: threading.Event) -> None:
        """Repeat a step, whatever a dead process makes of it; anything else ends the test."""
        while not stop.is_set():
            try:
                step()
            except HeadwatersError as error:
                self.told.troubles.add(f"{step.__name__.strip('_')}: {error.code}")
                stop.wait(PAUSE_SECONDS)
            except BaseException as error:  # noqa: BLE001  # handed to the thread that waits
                self._broke.append(error)
                return

    def _publish(self) -> None:
        if self.releases() - self._arrived() >= AHEAD:
            self._no_more.wait(PAUSE_SECONDS)
            return
        done = self.small.publish(readings(self.small.home / "input", self.releases()))
        self.told.published.append(done)

    def _pull(self) -> None:
        self._inside_a_pull.set()
        try:
            brought = self.small.pull()
        finally:
            self._inside_a_pull.clear()
        if not brought["files"]:
            self._enough.wait(PAUSE_SECONDS)

    def _listen(self) -> None:
        """Keep the checkpoint that the exchange publishes now, and those that the nodes hold."""
        with suppress(httpx.TransportError):
            answer = self.small.ask_exchange("/log/checkpoint")
            if answer.is_success:
                self.told.checkpoints.add(answer.content)
        for slug in self.small.alliance.nodes:
            self.told.checkpoints.update(checkpoints_kept_by(self.small.homes[slug]))


def checkpoints_kept_by(node_home: Path) -> list[bytes]:
    """Read the checkpoints that a node keeps: the last it verified, then the last it cosigned."""
    found = []
    with closing(sqlite3.connect(f"file:{node_home / 'node.db'}?mode=ro", uri=True, timeout=20)) as kept:
        for table in ("log_state", "witness_state"):
            found += [bytes(row[0]) for row in kept.execute(f"SELECT note FROM {table}")]  # noqa: S608
    return found
