"""The simulated exchange with cuts, counts and aborts; tests reach into ``spoil_heads`` to misbehave."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from audit.completeness.heads import heads_root, show_heads
from audit.formats.merkle import leaf_hash
from audit.log.chains import Chains
from audit.log.entry import Entry, EntryKind, parse_entry
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.errors import NotFound
from contracts.messages import (
    Abort,
    CountState,
    HeadsCut,
    HeadsCutList,
    OwnHeads,
    ReceiptState,
    SubscriptionHead,
    TransferCount,
)
from nodes.signed import peek_statement
from tests.nodes.catalog_exchange import wire
from tests.nodes.sharing_exchange import SharingExchange
from tests.nodes.simulated_exchange import ORIGIN

Heads = list[SubscriptionHead]


@dataclass
class CompletenessExchange(SharingExchange):
    """Cuts heads out of its own entries and logs what nodes count."""

    cuts: list[tuple[HeadsCut, Heads]] = field(default_factory=list)
    counts: dict[tuple[str, int], tuple[TransferCount, int]] = field(default_factory=dict)
    spoil_heads: Callable[[Heads], Heads] = lambda heads: heads
    forget_counts: bool = False

    def cut(self) -> HeadsCut:
        """Log where every subscription stands, or what ``spoil_heads`` makes of it."""
        chains = Chains(origin=ORIGIN)
        for index, raw in sorted(self.entries.items()):
            chains.follow(index, parse_entry(raw), leaf_hash(raw))
        heads = self.spoil_heads(chains.heads())
        since = self.cuts[-1][0].until if self.cuts else self.clock.now()
        until = self.clock.now()
        root = heads_root(heads)
        fields: dict[str, Json] = {
            "since": epoch_ms(since),
            "until": epoch_ms(until),
            "n": len(heads),
            "root": root,
        }
        index = self.append(Entry(EntryKind.HEADS, until, fields))
        cut = HeadsCut(
            number=len(self.cuts) + 1,
            origin=ORIGIN,
            index=index,
            since=since,
            until=until,
            size=len(heads),
            root=root,
        )
        self.cuts.append((cut, heads))
        return cut

    def _signed(self, request: httpx.Request, path: str) -> httpx.Response:
        match (request.method, *path.strip("/").split("/")):
            case ("GET", "heads"):
                self.caller(request)
                since = int(request.url.params["since"])
                return wire(HeadsCutList(cuts=[cut for cut, _ in self.cuts if cut.number > since]))
            case ("GET", "heads", number):
                return wire(self._own_heads(self.caller(request), int(number)))
            case ("POST", "transfers", grant, "abort"):
                return wire(self._abort(self.caller(request), grant, request.content.decode()))
            case ("POST", "counts"):
                return wire(self._count(self.caller(request), request.content.decode()))
            case _:
                return super()._signed(request, path)

    def _own_heads(self, participant: str, number: int) -> OwnHeads:
        cut, heads = self.cuts[number - 1]
        own = [head for head in heads if participant in {head.provider, head.consumer}]
        shown = [one for head in own for one in show_heads(heads, head.subscription)]
        return OwnHeads(number=number, entry=self._inclusion(cut.index), heads=shown)

    def _abort(self, participant: str, grant: str, envelope: str) -> ReceiptState:
        if grant not in self.transfers:
            raise NotFound(grant)
        transfer = self.transfers[grant]
        if transfer.state in {"granted", "delivered"}:
            signed = peek_statement(envelope, Abort)
            fields = {"by": participant, "why": signed.statement.reason, "dig": signed.digest}
            entry = Entry(EntryKind.ABORT, self.clock.now(), self._closing(transfer) | fields)
            self._close(transfer, entry, "aborted")
        return self._state(grant)

    def _count(self, participant: str, envelope: str) -> CountState:
        signed = peek_statement(envelope, TransferCount)
        key = (participant, signed.statement.cut.number)
        if key not in self.counts:
            fields: dict[str, Json] = {
                "part": participant,
                "since": epoch_ms(signed.statement.cut.since),
                "until": epoch_ms(signed.statement.cut.until),
                "sent": signed.statement.sent,
                "recv": signed.statement.received,
                "dig": signed.digest if not self.forget_counts else "sha256:" + "0" * 64,
            }
            index = self.append(Entry(EntryKind.COUNT, self.clock.now(), fields))
            self.counts[key] = (signed.statement, index)
        return CountState(index=self.counts[key][1], origin=ORIGIN)
