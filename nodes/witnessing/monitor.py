"""Replay the mirrored log as an auditor would: do the chains hold, and is what it says of this node true.

Every subscription's chain is followed, whoever its parties are. An entry that names this participant must be
about something that it signed or agreed to; one that it does not know is an alarm, for it means a stolen key,
a restored database, or an exchange that makes things up. So is a directory that the log does not name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlmodel import col, select

from audit.formats.merkle import leaf_hash
from audit.log.chains import ChainBroken, Chains
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.walk.log_source import HEADS_FILE
from contracts.canonical import Json
from contracts.errors import Invalid
from contracts.messages import ReceiptRole, Severity, SubscriptionHead, SubscriptionHeads, Text
from nodes.correcting.tables import ObjectionRow, ObjectionStepRow
from nodes.counting.book_tables import BookRow
from nodes.node import Node
from nodes.sharing_tables import AgreementRow, ContractRow, DatasetRow, OwnApplicationRow, ReleaseRow
from nodes.trusting.directory_watch import LoggedDirectory, check_shown, keep_logged
from nodes.trusting.shards import KnownShard
from nodes.witnessing.network_tables import ReplayRow

log = structlog.get_logger(__name__)

BROKEN = "audit.chain-broken"
UNKNOWN = "audit.unknown-entry"
UNREADABLE = "audit.unreadable-entry"
_SAVE_EVERY = 4096  # entries; a crash replays at most so many again
_BROKEN_TITLE = Text(
    zh="日志中某订阅的条目前后不衔接", en="The entries of a subscription in the log do not follow one another"
)
_UNKNOWN_TITLE = Text(
    zh="日志中有涉及本参与方、但本节点并不知情的条目",
    en="The log holds an entry about this participant that this node knows nothing of",
)
_UNREADABLE_TITLE = Text(
    zh="日志中有本节点读不懂的条目", en="The log holds an entry that this node cannot read"
)


@dataclass(slots=True)
class _Replay:
    """One replay of one shard, from where the last one stopped."""

    node: Node
    origin: str
    chains: Chains
    parties: dict[str, tuple[str, str]]
    broken: set[str] = field(default_factory=set)
    directories: list[LoggedDirectory] = field(default_factory=list)  # not kept yet
    newest: datetime | None = None

    def take(self, index: int, leaf: bytes) -> None:
        """Follow one entry and judge it."""
        try:
            entry = parse_entry(leaf)
        except Invalid:
            self._alarm(UNREADABLE, Severity.MEDIUM, _UNREADABLE_TITLE, {"index": index})
            return
        self.newest = entry.at
        if entry.kind is EntryKind.DIRECTORY:
            said = str(entry.fields["n"]), str(entry.fields["dig"])
            self.directories.append(LoggedDirectory(int(said[0]), said[1], self.origin, index))
        if entry.kind is EntryKind.GRANT:
            self.parties[str(entry.fields["sub"])] = (str(entry.fields["prov"]), str(entry.fields["cons"]))
        self._follow(index, entry, leaf)
        if not _is_known(self.node, entry, self.parties):
            facts: dict[str, int | str] = {"index": index, "kind": entry.kind.value}
            self._alarm(UNKNOWN, Severity.HIGH, _UNKNOWN_TITLE, facts)

    def _follow(self, index: int, entry: Entry, leaf: bytes) -> None:
        name = str(entry.fields.get("sub", ""))
        if name in self.broken:
            return  # one alarm for each subscription: whatever follows a broken link is broken too
        try:
            self.chains.follow(index, entry, leaf_hash(leaf))
        except ChainBroken as error:
            self.broken.add(name)
            log.warning("chain_broken", index=index, reason=error.detail)
            self._alarm(BROKEN, Severity.HIGH, _BROKEN_TITLE, {"index": index, "subscription": name})

    def _alarm(self, event_class: str, severity: Severity, title: Text, facts: dict[str, int | str]) -> None:
        self.node.alarms.raise_alarm(event_class, severity, title, {"origin": self.origin, **facts})


def replay(node: Node) -> int:
    """Replay what the mirror holds and was not replayed yet; give how many entries that were.

    Raises NotMirrored or TileCorrupt where the mirror is damaged: its next scrub mends it.
    """
    sizes, newest = [], None
    for shard in node.trust.shards.all():
        size, at = _replay_shard(node, shard)
        sizes.append(size)
        newest = at or newest
    check_shown(node, newest)
    return sum(sizes)


def _replay_shard(node: Node, shard: KnownShard) -> tuple[int, datetime | None]:
    """Replay one shard; give how many entries that were, and the moment of the last."""
    files = node.mirror.files(shard.number)
    claim = files.checkpoint()
    if claim is None:
        return 0, None
    with node.database.read() as session:
        row = session.get(ReplayRow, shard.origin)
    size = 0 if row is None else row.size
    if size >= claim.size:
        return 0, None
    carried = files.read(HEADS_FILE) if row is None else row.heads
    run = _begin(node, shard.origin, [] if carried is None else SubscriptionHeads.parse(carried).heads)
    for index, leaf in files.entries(size):
        run.take(index, leaf)
        if (index + 1) % _SAVE_EVERY == 0:
            _save(node, run, index + 1)
    _save(node, run, claim.size)
    return claim.size - size, run.newest


def _begin(node: Node, origin: str, heads: list[SubscriptionHead]) -> _Replay:
    broken = {
        str(alarm.facts["subscription"])
        for alarm in node.alarms.after()
        if alarm.event_class == BROKEN and alarm.facts["origin"] == origin
    }
    parties = {one.subscription: (one.provider, one.consumer) for one in heads}
    return _Replay(node, origin, Chains(heads, origin), parties, broken)


def _save(node: Node, run: _Replay, size: int) -> None:
    heads = SubscriptionHeads(heads=run.chains.heads()).canonical()
    with node.database.transaction() as session:
        session.merge(ReplayRow(origin=run.origin, size=size, heads=heads))
        keep_logged(session, run.directories)
    run.directories.clear()


def _is_known(  # noqa: PLR0911  # one answer for each kind of entry
    node: Node, entry: Entry, parties: Mapping[str, tuple[str, str]]
) -> bool:
    """Say whether an entry is about others, or about something that this node signed or agreed to."""
    us, fields = node.participant, entry.fields
    match entry.kind:
        case EntryKind.GRANT if us in {fields["prov"], fields["cons"]}:
            return _knows_grant(node, fields)
        case EntryKind.DONE if us in parties.get(str(fields["sub"]), ()):
            return _signed_for(node, fields, *parties[str(fields["sub"])])
        case EntryKind.AGREEMENT if us in {fields["prov"], fields["cons"]}:
            return _has(node, AgreementRow.digest, fields["dig"])
        case EntryKind.APPLICATION_OPEN if fields["cons"] == us:
            return _has(node, OwnApplicationRow.digest, fields["dig"])
        case EntryKind.RELEASE_PUBLISH if fields["part"] == us:
            return _has(node, ReleaseRow.manifest, fields["man"])
        case EntryKind.DATASET_PUBLISH if fields["part"] == us:
            return _has(node, DatasetRow.digest, fields["dig"])
        case EntryKind.OBJECTION_OPEN if fields["cons"] == us:
            return _has(node, ObjectionRow.digest, fields["dig"])
        case EntryKind.OBJECTION_STEP if fields["by"] == us:
            return _has(node, ObjectionStepRow.digest, fields["dig"])
        case EntryKind.CONTRACT_PUBLISH if fields["part"] == us:
            return _has(node, ContractRow.digest, fields["dig"])
        case _:
            return True


def _knows_grant(node: Node, fields: Mapping[str, Json]) -> bool:
    if not _has(node, AgreementRow.digest, fields["agr"]):
        return False
    if fields["prov"] == node.participant:
        return _has(node, ReleaseRow.manifest, fields["man"]) and _has(node, DatasetRow.digest, fields["rec"])
    past = node.trust.member(node.participant).past_keys
    return fields["ckey"] in {node.node_key.public.text, *(one.key for one in past if one.role == "node")}


def _signed_for(node: Node, fields: Mapping[str, Json], provider: str, consumer: str) -> bool:
    """Say whether this node's receipt is its own: the books hold every receipt that it signed."""
    sides = ((ReceiptRole.PROVIDER, provider), (ReceiptRole.CONSUMER, consumer))
    ours = [role.value for role, name in sides if name == node.participant]
    with node.database.read() as session:
        return all(session.get(BookRow, (fields["gid"], role)) is not None for role in ours)


def _has(node: Node, column: str, digest: Json) -> bool:
    """Say whether a row stands under this digest; ``column`` is a table's attribute."""
    with node.database.read() as session:
        return session.exec(select(col(column)).where(col(column) == digest).limit(1)).first() is not None
