"""The alliance as processes: found the exchange, invite, join, approve, serve, stop."""

import re
import socket
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from audit.durable import write_private
from contracts.errors import Unavailable
from exchange.demo.cast import CAST, HEARS_STATIONS, QUORUM, WITH_INBOUND_ADDRESS, Player
from exchange.demo.processes import Child, command, run
from nodes.control import ControlClient

ORIGIN = "audit.headwaters.example/demo"
GOSSIP_SECONDS = "10"
_FINGERPRINT = re.compile(r"fingerprint: ([0-9a-f]{4}(?: [0-9a-f]{4})+)")


class StepFailed(Unavailable):
    """A step of the demonstration failed."""

    code = "demo-step-failed"
    title_zh = "演示步骤失败"
    next_zh = "查看 detail 与演示目录下 logs/ 中的日志。"
    next_en = "Read the detail, and the logs in the demonstration's logs/ folder."


class Alliance:
    """One exchange and its nodes under one folder; ``ids`` maps a player's slug to its participant id."""

    def __init__(
        self,
        home: Path,
        *,
        cast: tuple[Player, ...] = CAST,
        quorum: int = QUORUM,
        published: Mapping[str, str] | None = None,
    ) -> None:
        """Choose the ports; ``published`` gives the inbound address of each player that has one."""
        self.home = home
        self.exchange_home = home / "exchange"
        self.ids: dict[str, str] = {}
        self.ports = {player.slug: _free_port() for player in cast}
        self.station_port = _free_port()
        self._cast = cast
        self._quorum = quorum
        if published is None:
            published = {slug: f"http://127.0.0.1:{self.ports[slug]}" for slug in WITH_INBOUND_ADDRESS}
        self._published = published
        self._exchange_port = _free_port()
        self.exchange = self.exchange_process(self.exchange_home)
        self.nodes = {
            player.slug: Child(
                player.slug,
                [
                    *("node", "serve", "--home", self.node_home(player.slug)),
                    *("--listen", f"127.0.0.1:{port}", "--gossip-seconds", GOSSIP_SECONDS),
                    *self._hearing(player),
                ],
                home / "logs" / f"{player.slug}.log",
            )
            for player, port in ((p, self.ports[p.slug]) for p in cast)
        }

    def _hearing(self, player: Player) -> tuple[str, ...]:
        return ("--stations", f"127.0.0.1:{self.station_port}") if player.slug == HEARS_STATIONS else ()

    def exchange_process(self, exchange_home: Path) -> Child:
        """Give the process that serves an exchange's home at this alliance's address, not started yet."""
        listen = f"127.0.0.1:{self._exchange_port}"
        return Child(
            "exchange",
            ["exchange", "serve", "--home", exchange_home, "--listen", listen],
            self.home / "logs" / "exchange.log",
        )

    def node_home(self, slug: str) -> Path:
        """Give a player's own folder."""
        return self.home / slug

    def node(self, slug: str) -> ControlClient:
        """Speak to a node as its operator."""
        return ControlClient(self.node_home(slug), "operator")

    def operator(self, person: str) -> ControlClient:
        """Speak to the exchange as one of its people."""
        return ControlClient(self.exchange_home, person)

    def found(self) -> None:
        """Found the exchange and serve it."""
        url = f"http://127.0.0.1:{self._exchange_port}"
        witnesses = sum(player.is_witness for player in self._cast)
        names = ("--home", self.exchange_home, "--origin", ORIGIN, "--public-url", url)
        done = run("exchange", "init", *names, "--quorum", str(self._quorum), "--witnesses", str(witnesses))
        if done.returncode:
            raise StepFailed(f"exchange init: {done.stderr.strip()}")
        self.exchange.start()

    def invite(self, player: Player) -> str:
        """Invite one participant; give the text to hand over."""
        made = self.operator("administrator").post(
            "/operator/invites",
            {
                "profile": player.profile.model_dump(mode="json"),
                "witness": player.is_witness,
                "expires_hours": 1,
            },
        )
        self.ids[player.slug] = str(made["participant"])
        return str(made["invite"])

    def join(self, player: Player, invite: str) -> None:
        """Run the join command; approve it when its fingerprint, told out of band, is the one on record."""
        # A file, because a command line can be read by everybody on the machine.
        handed = self.home / f"{player.slug}.invite"
        write_private(handed, invite.encode())
        words: list[str | Path] = ["node", "join", handed, "--home", self.node_home(player.slug), "--json"]
        if player.slug in self._published:
            words += ["--address", self._published[player.slug]]
        with subprocess.Popen(
            command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as joining:
            said = ""
            for line in joining.stderr or ():
                said += line
                told = _FINGERPRINT.search(line)
                if told:
                    self._approve(player, told[1])
            if joining.wait(60):
                raise StepFailed(f"{player.slug} could not join: {said.strip()}")
        handed.unlink()

    def _approve(self, player: Player, fingerprint: str) -> None:
        body = {"fingerprint": fingerprint}
        participant = self.ids[player.slug]
        self.operator("administrator").post(f"/operator/members/{participant}/approve", body)

    def serve(self, slugs: Iterable[str]) -> None:
        """Start nodes side by side and wait until each serves."""
        chosen = [self.nodes[slug] for slug in slugs]
        for child in chosen:
            child.launch()
        for child in chosen:
            child.wait_until_serving()

    def halt(self, slugs: Iterable[str]) -> None:
        """Stop nodes side by side."""
        chosen = [self.nodes[slug] for slug in slugs]
        for child in chosen:
            child.ask_to_stop()
        for child in chosen:
            child.reap()

    def stop(self) -> None:
        """Stop every node, then the exchange."""
        self.halt(self.nodes)
        self.exchange.stop()


def in_parallel(tasks: Iterable[tuple[Player, str]], alliance: Alliance) -> None:
    """Join all invited players side by side; the first failure is raised."""
    with ThreadPoolExecutor(max_workers=len(CAST)) as pool:
        for future in [pool.submit(alliance.join, player, invite) for player, invite in tasks]:
            future.result()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
