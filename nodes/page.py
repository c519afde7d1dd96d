"""One page for the people of a node: how it stands, in Chinese first, as plain HTML without a script.

It shows counts, names and states, never a row of data; everything that came from outside is escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sqlmodel import SQLModel, col, func, select

from contracts.clock import beijing
from contracts.messages import DatasetRecord, Manifest, SecurityEvent
from nodes.alarms import LocalAlarm
from nodes.emergencies import heard_of
from nodes.node import Node
from nodes.offers import HELD
from nodes.quarantine.rows import standings
from nodes.sharing_tables import (
    DatasetRow,
    HeldApplicationRow,
    OutboxRow,
    ReceivedRow,
    ReleaseRow,
    SubscriptionRow,
)
from nodes.signed import peek_statement

_EVENTS_SHOWN = 10
_HAPPENED = ("编号 no.", "时间 time", "级别 severity", "类别 class", "内容 title")

_STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b2a33}"
    "h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}small{color:#5a6b75;font-weight:400}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;"
    "border-bottom:1px solid #d9e1e5;vertical-align:top}td{overflow-wrap:anywhere}"
)


@dataclass(frozen=True, slots=True)
class DatasetLine:
    """One dataset of this node, in counts."""

    dataset: str
    title: str
    releases: int
    quarantined: int
    found: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the page shows."""

    identity: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, str], ...]
    datasets: tuple[DatasetLine, ...]
    subscriptions: tuple[tuple[str, str, str], ...]
    events: tuple[SecurityEvent, ...]
    alarms: tuple[LocalAlarm, ...]


def gather(node: Node) -> Standing:
    """Read what the page shows from the node's own database; calls nobody."""
    name = node.identity.profile.name
    seen = node.trust.last_checkpoint()
    witness = node.witness
    return Standing(
        identity=(
            ("参与方 participant", f"{name.zh} {name.en} · {node.participant}"),
            ("交换中心 exchange", node.identity.exchange_url),
            ("成员目录 directory", f"#{node.trust.directory_number()}"),
            ("日志 log", node.trust.shards.current().origin + (f" · {seen.size}" if seen else "")),
            ("见证 witness", f"{witness.standing.value} · {witness.size()}" if witness else "否 no"),
        ),
        counts=(
            ("待人工处理的申请 applications to answer", str(_held(node))),
            ("已接收批次 releases received", str(_count(node, ReceivedRow))),
            ("发件箱 outbox", str(_count(node, OutboxRow))),
            *(
                (
                    "紧急状态 emergency in force",
                    f"{one.title.zh} {one.title.en} · {one.emergency} · 至 until {beijing(one.until)}",
                )
                for one in heard_of(node)
            ),
        ),
        datasets=_datasets(node),
        subscriptions=_subscriptions(node),
        events=tuple(node.events.after(max(0, node.events.newest() - _EVENTS_SHOWN)))[::-1],
        alarms=tuple(node.alarms.after(max(0, node.alarms.newest() - _EVENTS_SHOWN)))[::-1],
    )


def render(standing: Standing) -> str:
    """Write the page."""
    datasets = [
        (line.dataset, line.title, str(line.releases), str(line.quarantined), line.found)
        for line in standing.datasets
    ]
    events = [_happened(one) for one in standing.events]
    alarms = [_happened(one) for one in standing.alarms]
    return (
        '<!doctype html><html lang="zh-Hans"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>源汇节点 Headwaters node</title><style>{_STYLE}</style></head><body><main>"
        "<h1>源汇节点 <small>Headwaters node</small></h1>"
        + _table("身份", "identity", (), [*standing.identity, *standing.counts])
        + _table(
            "数据集",
            "datasets",
            ("编号 id", "名称 title", "批次 releases", "隔离行 quarantined", "质量发现 quality findings"),
            datasets,
        )
        + _table(
            "订阅", "subscriptions", ("编号 id", "数据集 dataset", "游标 cursor"), standing.subscriptions
        )
        + _table("安全事件", "security events, UTC+8", _HAPPENED, events)
        + _table("本机发现", "this node's own findings, UTC+8", _HAPPENED, alarms)
        + "</main></body></html>"
    )


def style() -> str:
    """Give the page's one style sheet, for the policy that admits nothing else."""
    return _STYLE


def _happened(one: SecurityEvent | LocalAlarm) -> tuple[str, ...]:
    title = f"{one.title.zh} {one.title.en}"
    return (str(one.number), beijing(one.at), one.severity.value, one.event_class, title)


def _table(zh: str, en: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    title = f"<h2>{escape(zh)} <small>{escape(en)}</small></h2>"
    if not rows:
        return title + "<p>无 none</p>"
    cells = "".join(f"<th scope=col>{escape(text)}</th>" for text in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"{title}<table>{f'<tr>{cells}</tr>' if head else ''}{lines}</table>"


def _count(node: Node, table: type[SQLModel]) -> int:
    with node.database.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def _held(node: Node) -> int:
    with node.database.read() as session:
        waiting = select(func.count()).select_from(HeldApplicationRow).where(HeldApplicationRow.state == HELD)
        return session.exec(waiting).one()


def _datasets(node: Node) -> tuple[DatasetLine, ...]:
    with node.database.read() as session:
        records = session.exec(
            select(DatasetRow).order_by(col(DatasetRow.dataset), col(DatasetRow.number))
        ).all()
        releases = {
            dataset: (count, session.get_one(ReleaseRow, (dataset, number)).envelope)
            for dataset, count, number in session.exec(
                select(ReleaseRow.dataset, func.count(), func.max(ReleaseRow.number)).group_by(
                    col(ReleaseRow.dataset)
                )
            ).all()
        }
        held = {one.dataset: one.waiting for one in standings(session)}
    newest = {row.dataset: row.envelope for row in records}
    lines = []
    for dataset, envelope in newest.items():
        title = peek_statement(envelope, DatasetRecord).statement.title
        count, release = releases.get(dataset, (0, None))
        found = "–" if release is None else _found(peek_statement(release, Manifest).statement)
        lines.append(DatasetLine(dataset, title.zh, count, held.get(dataset, 0), found))
    return tuple(lines)


def _found(manifest: Manifest) -> str:
    """Say what the rules found in a release, worst first: how many records under which rule."""
    if manifest.quality is None:
        return "未检查 not examined"
    worst_first = sorted(manifest.findings, key=lambda one: ("error", "warning", "info").index(one.severity))
    return ", ".join(f"{one.rule} {one.records}" for one in worst_first) or "无 none"


def _subscriptions(node: Node) -> tuple[tuple[str, str, str], ...]:
    with node.database.read() as session:
        rows = session.exec(select(SubscriptionRow).order_by(SubscriptionRow.dataset)).all()
        return tuple((row.subscription, row.dataset, str(row.cursor)) for row in rows)
