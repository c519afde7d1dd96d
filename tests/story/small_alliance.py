"""A small alliance of real processes: one exchange, a provider and a consumer, both of them witnesses.

It is set up with the commands that people use. The consumer reaches the provider through a recorder, so that
a test sees every byte that leaves. Whoever begins one stops it, whatever happens.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from contracts.messages import Level, Profile, Sharing, Text
from exchange.demo.alliance import Alliance, in_parallel
from exchange.demo.cast import Player
from exchange.demo.inputs import NOWHERE, PlannedDataset
from exchange.demo.processes import Child
from exchange.demo.scenes_sharing import PURPOSE, apply_for, publish_file, pull, subscribe
from exchange.demo.stage import wait_for
from nodes.control import ControlClient
from nodes.home import NodeHome
from tests.story import folders
from tests.story.recorder import Recorder

QUORUM = 2
DATASET = "buoy-readings"


def _player(slug: str, zh: str) -> Player:
    profile = Profile(
        name=Text(zh=zh, en=slug),
        admin_code=None,
        admin_code_edition=None,
        level=Level.PROVINCE,
        sector="government",
    )
    return Player(slug, profile)


PROVIDER = _player("provider", "提供方")
CONSUMER = _player("consumer", "使用方")
BUOYS = PlannedDataset(
    dataset=DATASET,
    provider=PROVIDER.slug,
    contract="surface-water-buoy",
    title=Text(zh="浮标监测", en="Buoy readings"),
    place=NOWHERE,
    sharing=Sharing.UNCONDITIONAL,
    synthetic=True,
    files=(),
)


class SmallAlliance:
    """The processes and what a test asks of them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.recorder = Recorder()
        self.alliance = Alliance(
            home,
            cast=(PROVIDER, CONSUMER),
            quorum=QUORUM,
            published={PROVIDER.slug: self.recorder.address},
        )

    @property
    def processes(self) -> dict[str, Child]:
        """Give the serving processes by name."""
        return {"exchange": self.alliance.exchange, **self.alliance.nodes}

    @property
    def homes(self) -> dict[str, Path]:
        """Give each participant's home by the name of its process."""
        return {name: self.home / name for name in self.processes}

    @property
    def provider_id(self) -> str:
        """Give the provider's participant id."""
        return self.alliance.ids[PROVIDER.slug]

    @property
    def consumer_id(self) -> str:
        """Give the consumer's participant id."""
        return self.alliance.ids[CONSUMER.slug]

    def begin(self) -> None:
        """Found, join, serve, declare, agree and subscribe."""
        alliance = self.alliance
        alliance.found()
        in_parallel([(player, alliance.invite(player)) for player in (PROVIDER, CONSUMER)], alliance)
        self.recorder.begin(
            upstream=alliance.ports[PROVIDER.slug],
            database=alliance.exchange_home / "exchange.db",
            log_vkey=NodeHome(self.homes["consumer"]).read_identity().log_vkey,
        )
        alliance.serve(alliance.nodes)
        self._share()
        wait_for("the first cosigned checkpoint", lambda: self.log()["cosignatures"] >= QUORUM or None)

    def stop(self) -> None:
        """Stop every process and the recorder."""
        try:
            self.alliance.stop()
        finally:
            self.recorder.close()

    def publish(self, file: Path) -> dict[str, Any]:
        """Publish a file as the provider's next release."""
        return publish_file(self.alliance, PROVIDER.slug, DATASET, file)

    def pull(self) -> dict[str, Any]:
        """Receive what is new."""
        return pull(self.alliance, CONSUMER.slug, DATASET)

    def cursor(self) -> int:
        """Give the last release that the consumer has safely received."""
        rows = self.alliance.node(CONSUMER.slug).get("/local/subscriptions")["subscriptions"]
        return int(rows[0]["cursor"])

    def log(self) -> dict[str, Any]:
        """Say how the exchange's log stands."""
        status: dict[str, Any] = self.alliance.operator("operator").get("/operator/status")
        standing: dict[str, Any] = status["log"]
        return standing

    def administer(self, participant: str, act: str, reason: str | None = None) -> None:
        """Suspend or resume a member as the administrator."""
        body = {} if reason is None else {"reason": reason}
        self.alliance.operator("administrator").post(f"/operator/members/{participant}/{act}", body)

    def move_exchange(self, home: Path) -> None:
        """Serve another home of the exchange at the same address; the process before must have stopped."""
        self.alliance.exchange_home = home
        self.alliance.exchange = self.alliance.exchange_process(home)
        self.recorder.database = home / "exchange.db"
        self.alliance.exchange.start()

    def ask_exchange(self, path: str) -> httpx.Response:
        """Read an open page of the exchange."""
        return httpx.get(self.alliance.exchange.address + path, trust_env=False, timeout=20)

    def drain(self) -> None:
        """Wait until no receipt waits in any outbox."""
        for slug in self.alliance.nodes:
            wait_for(f"the empty outbox of {slug}", partial(_drained, self.alliance.node(slug)))

    def _share(self) -> None:
        provider = self.alliance.node(PROVIDER.slug)
        provider.post("/local/contracts", {"contract": BUOYS.contract})
        provider.post("/local/datasets", BUOYS.declaration())
        self.publish(readings(self.home / "input", 0))
        application = apply_for(self.alliance, CONSUMER.slug, DATASET, PURPOSE)
        subscribe(self.alliance, CONSUMER.slug, DATASET, application)


def readings(folder: Path, number: int, rows: int = 12) -> Path:
    """Write one more file of made-up readings, unlike any other number's."""
    return folders.write_readings(folder / f"readings-{number}.csv", random.Random(number), rows)  # noqa: S311


def _drained(node: ControlClient) -> bool | None:
    return None if node.get("/local/outbox")["rows"] else True


@contextmanager
def small_alliance(home: Path) -> Iterator[SmallAlliance]:
    """Give a small alliance that runs, and stop all of it afterwards."""
    small = SmallAlliance(home)
    try:
        small.begin()
        yield small
    finally:
        small.stop()
