"""The simulated exchange with more than one shard: it closes one, and opens the next under another key."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import tree_root
from audit.formats.note import NoteSigner, format_note
from audit.keys.signing import SigningKey
from audit.log.entry import Entry, EntryKind
from contracts.canonical import Json, sha256_hex
from contracts.messages import Inclusion, ShardList, ShardView, SubscriptionHeads
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange

_SHARD = re.compile(r"/log/shards/([1-9])/(.+)")


@dataclass
class Closed:
    """A shard that has ended, as it is still served."""

    origin: str
    key: SigningKey
    leaves: list[bytes]
    cosignatures: list[str]
    closing: Inclusion
    heads: bytes


@dataclass
class ShardedExchange(SimulatedExchange):
    """``origin`` and ``heads`` are the newest shard's; ``past`` are those before it."""

    origin: str = ORIGIN
    past: list[Closed] = field(default_factory=list)
    heads: bytes = SubscriptionHeads(heads=[]).canonical()

    @property
    def signer(self) -> NoteSigner:
        return NoteSigner(self.origin, self.log_key)

    @property
    def founding_vkey(self) -> str:
        key = self.past[0].key if self.past else self.log_key
        return str(NoteSigner(ORIGIN, key).verifier_key)

    def checkpoint(self, size: int | None = None) -> bytes:
        size = len(self.leaves) if size is None else size
        text = str(Checkpoint(self.origin, size, tree_root(self.leaves[:size])))
        return format_note(text, [self.signer.sign(text)])

    def close(
        self, cosign: Callable[[str], str], heads: bytes | None = None, following: str | None = None
    ) -> None:
        """End the shard under a cosigned checkpoint, and open the next one, ``following``."""
        heads = SubscriptionHeads(heads=[]).canonical() if heads is None else heads
        following, key = following or f"{ORIGIN}-{len(self.past) + 2}", SigningKey.generate()
        named = {"next": following, "key": key.public.text, "hds": sha256_hex(heads)}
        self.log_entries(Entry(EntryKind.SHARD_CLOSE, self.clock.now(), named).encode())
        text = self.checkpoint().decode().partition("\n\n")[0] + "\n"
        self.cosignatures = [cosign(text)]
        closing = self.inclusion(len(self.leaves) - 1)
        self.past.append(
            Closed(self.origin, self.log_key, self.leaves, self.cosignatures, closing, self.heads)
        )
        opened: dict[str, Json] = {
            "origin": following,
            "from": self.origin,
            "prev": sha256_hex(text.encode()),
            "size": len(self.leaves),
            "hds": sha256_hex(heads),
        }
        self.origin, self.log_key, self.leaves, self.heads = following, key, [], heads
        self.log_entries(Entry(EntryKind.SHARD_OPEN, self.clock.now(), opened).encode())

    def shard_list(self) -> ShardList:
        shards = [
            ShardView(
                number=number,
                origin=one.origin,
                vkey=str(NoteSigner(one.origin, one.key).verifier_key),
                size=len(one.leaves),
                closing=one.closing,
            )
            for number, one in enumerate(self.past, 1)
        ]
        newest = ShardView(number=len(self.past) + 1, origin=self.origin, vkey=str(self.signer.verifier_key))
        return ShardList(shards=[*shards, newest])

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        asked = request.url.path
        if asked == "/log/shards":
            return httpx.Response(200, content=self.shard_list().canonical())
        if (match := _SHARD.fullmatch(asked)) is None:
            return super()._answer(request, path)
        with self._as(int(match[1])):
            if match[2] == "heads":
                return httpx.Response(200, content=self.heads)
            return super()._answer(request, f"/log/{match[2]}")

    @contextmanager
    def _as(self, number: int) -> Iterator[None]:
        """Be an earlier shard while the block runs."""
        if number == len(self.past) + 1:
            yield
            return
        one = self.past[number - 1]
        now = self.origin, self.log_key, self.leaves, self.cosignatures, self.heads
        self.origin, self.log_key, self.leaves = one.origin, one.key, one.leaves
        self.cosignatures, self.heads = one.cosignatures, one.heads
        try:
            yield
        finally:
            self.origin, self.log_key, self.leaves, self.cosignatures, self.heads = now
