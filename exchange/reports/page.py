"""The audit report as one HTML page: for people to read and print, with the report's JSON inside.

The page is a pure function of the report, so ``headwaters verify`` writes it again and compares every byte:
what people read is what the JSON proves. It has no script that runs, fetches nothing, and escapes everything.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from html import escape

import orjson

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import parse_note
from audit.log.chains import GrantState
from audit.proofs.doubts import BEYOND_THE_LOG, LATER_USE, TRUTH_OF_DATA
from audit.proofs.report import ReportInvalid, SignedReport
from audit.proofs.report_facts import AgreementFact, Chain, Denial, Facts, Placed, Transfer
from audit.proofs.report_reader import read_facts
from audit.proofs.report_verdict import LEFT_OUT, OPEN_END, ROLLED_UP
from contracts.canonical import Json, canonical_bytes
from contracts.clock import beijing
from contracts.messages import Text
from exchange.reports.style import STYLE

OPENING = '<script type="application/json" id="report">'
CLOSING = "</script>"

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STATES: dict[GrantState, tuple[str, str, str]] = {
    "done": ("good", "已完成", "done"),
    "expired": ("warn", "到期", "expired"),
    "aborted": ("warn", "放弃", "aborted"),
    "open": ("warn", "未结", "open"),
}


def render(signed: SignedReport) -> bytes:
    """Write the page of a report; raise ReportInvalid when the report contradicts itself."""
    facts = read_facts(signed.report)
    name = facts.title or Text(zh=signed.report.dataset, en=signed.report.dataset)
    day = date.fromisoformat(signed.report.day)
    parts = [
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>审计报告 {escape(signed.report.dataset)} {day}</title><style>{STYLE}</style></head><body>",
        _header(facts, name, day),
        "<main>",
        _received(facts),
        _others(facts),
        _denials(facts),
        _agreements(facts),
        _chains(facts),
        _evidence(facts),
        _doubts(facts),
        "</main>",
        _footer(facts),
        # "<" is spelled otherwise inside the element, so that no value can end it.
        OPENING + signed.encode().decode().replace("<", "\\u003c") + CLOSING,
        "</body></html>\n",
    ]
    return "\n".join(parts).encode()


def read_page(raw: bytes) -> SignedReport:
    """Give the report inside a page; raise ReportInvalid unless the page is the one that it renders to."""
    head, opening, rest = raw.decode("utf-8", "replace").partition(OPENING)
    text, closing, _ = rest.partition(CLOSING)
    if not head or not opening or not closing:
        raise ReportInvalid("the page holds no report")
    try:
        value: Json = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ReportInvalid("the report inside the page is no JSON") from error
    signed = SignedReport.read(canonical_bytes(value))
    if render(signed) != raw:
        raise ReportInvalid("the page shows other words than the report inside it proves")
    return signed


# --- blocks -----------------------------------------------------------------------------------------


def _header(facts: Facts, name: Text, day: date) -> str:
    received = facts.received
    consumers = {one.grant.consumer for one in received}
    rows = sum(_view(one)[0] for one in received)
    size = sum(_view(one)[1] for one in received)
    zh = f"{len(consumers)} 个参与方收到 {len(received)} 次,共 {rows:,} 行、{_size(size)}。"
    en = f"Recipients: {len(consumers)}. Transfers: {len(received)}. In all {rows:,} rows, {_size(size)}."
    if not received:
        zh, en = "当日没有任何参与方收到该数据集。", "Nobody received the dataset on that day."
    cards = [
        ("完成传输", "received", len(received)),
        ("使用方", "consumers", len(consumers)),
        ("其他授权", "other grants", len(facts.others)),
        ("拒绝", "denials", len(facts.denials)),
        ("在用协议", "agreements", len(facts.agreements)),
        ("订阅", "subscriptions", len(facts.chains)),
    ]
    boxes = "".join(f"<div><dt>{zh}{_en(en)}</dt><dd>{count:,}</dd></div>" for zh, en, count in cards)
    question = f"{day.year} 年 {day.month} 月 {day.day} 日,谁收到了「{escape(name.zh)}」?"
    return (
        '<header><div class="brand"><span>源汇 HEADWATERS</span><span>审计报告 AUDIT REPORT</span></div>'
        f"<h1>{question}{_en(f'Who received “{name.en}” on {day} (UTC+8)?')}</h1>"
        f"<p><code>{escape(facts.report.dataset)}</code> · 北京时间 UTC+8 · "
        f"{beijing(facts.since)} – {beijing(facts.until)}</p>"
        f'<div class="answer{"" if received else " none"}">{zh}<br>{_en(en)}</div>'
        f'<dl class="cards">{boxes}</dl></header>'
    )


def _received(facts: Facts) -> str:
    heads = (
        "完成 done",
        "使用方 consumer",
        "提供方 provider",
        "批次 release",
        "用途 purpose",
        "#行 rows",
        "#大小 size",
        "内容与证据 content, evidence",
    )
    rows = [_received_row(facts, one) for one in sorted(facts.received, key=_closed_at)]
    return _section("收到", "Received", _table(heads, rows))


def _received_row(facts: Facts, one: Transfer) -> list[str]:
    receipt = one.receipts[0][0]
    rows, size = _view(one)
    closing = one.closing
    late = closing is not None and closing.entry.fields["late"] is True
    hidden = "、".join(map(escape, receipt.redacted))
    content = [
        f'<code class="sha">{escape(receipt.view_sha256)}</code>',
        _id(f"授权 grant #{one.granted.index} · 闭合 done #{_index(closing)}"),
    ]
    if hidden:
        content.insert(0, f"遮蔽 redacted: {hidden}<br>")
    if late:
        content.append('<span class="tag warn">补登 late</span>')
    return [
        _time(closing.at if closing else None),
        _who(facts, one.grant.consumer),
        _who(facts, one.grant.provider),
        f"{one.grant.release}",
        escape(one.grant.purpose),
        f"{rows:,}",
        _size(size),
        "".join(content),
    ]


def _others(facts: Facts) -> str:
    heads = (
        "授权 granted",
        "使用方 consumer",
        "提供方 provider",
        "批次 release",
        "状态 state",
        "证据 evidence",
    )
    rows = []
    for one in facts.others:
        kind, zh, en = _STATES[one.state]
        closing = one.closing
        when = f"{_time(closing.at)} #{closing.index}" if closing else ""
        why = f" {escape(closing.said('why'))}" if closing else ""
        receipt = "有提供方回执 provider's receipt" if closing and closing.said("pr") else ""
        rows.append(
            [
                _time(one.granted.at),
                _who(facts, one.grant.consumer),
                _who(facts, one.grant.provider),
                f"{one.grant.release}",
                f'<span class="tag {kind}">{zh} {en}</span>{why}',
                _id(f"授权 grant #{one.granted.index}") + _id(when) + _id(receipt),
            ]
        )
    return _section("其他授权", "Other grants of the day", _table(heads, rows))


def _denials(facts: Facts) -> str:
    heads = ("时间 time", "申请方 consumer", "请求 act", "理由 reasons", "证据 evidence")
    rows = [
        [
            _time(one.denied.at),
            _who(facts, one.denied.said("cons")),
            escape(one.denied.said("act")),
            "<br>".join(map(escape, _reasons(one))),
            _id(f"拒绝 deny #{one.denied.index}"),
        ]
        for one in facts.denials
    ]
    return _section("拒绝", "Refused", _table(heads, rows))


def _agreements(facts: Facts) -> str:
    heads = (
        "协议 agreement",
        "使用方 consumer",
        "提供方 provider",
        "用途 purpose",
        "期限 term",
        "证据 evidence",
    )
    rows = [_agreement_row(facts, one) for one in facts.agreements]
    return _section("在用的共享协议", "Agreements in use", _table(heads, rows))


def _agreement_row(facts: Facts, one: AgreementFact) -> list[str]:
    terms = one.agreement
    ended = f"终止 ended {_time(one.ended.at)} #{one.ended.index}" if one.ended else ""
    return [
        f"<code>{escape(terms.agreement)}</code>",
        _who(facts, terms.consumer),
        _who(facts, terms.provider),
        escape(terms.purpose),
        f"{_time(terms.not_before)} –<br>{_time(terms.expires_at)}",
        _id(f"签订 signed #{one.told.index}") + _id(ended),
    ]


def _chains(facts: Facts) -> str:
    heads = ("订阅 subscription", "双方 parties", "#当日条目 entries", "连续性 continuity")
    rows = [[f"<code>{escape(one.subscription)}</code>", *_chain_cells(facts, one)] for one in facts.chains]
    told = "Each entry names the one before it: whole on both ends, no transfer of the day is missing."
    note = f"<p>同一订阅的条目首尾相扣。前后都相接,即当日没有缺失的传输。{_en(told)}</p>"
    return _section("订阅连续性", "Continuity", note + _table(heads, rows))


def _chain_cells(facts: Facts, one: Chain) -> list[str]:
    sides = next((t.grant for t in facts.transfers if t.grant.subscription == one.subscription), None)
    granted = next((e for e in one.entries if e.said("cons")), None)
    names = (sides.provider, sides.consumer) if sides else ("", "")
    if sides is None and granted is not None:
        names = (granted.said("prov"), granted.said("cons"))
    parties = " → ".join(escape(facts.names[name].zh) for name in names if name)
    tag = '<span class="tag warn">末尾未证 the end is not shown yet</span>'
    if one.closed:
        tag = '<span class="tag good">首尾相接 whole</span>'
    return [parties, f"{one.of_day:,}", tag]


def _evidence(facts: Facts) -> str:
    notes = [parse_note(note.encode()) for note in facts.report.checkpoints]
    blocks = []
    for note in notes:
        claim = Checkpoint.parse(note.text)
        names = ", ".join(line.name for line in note.signatures if line.name != claim.origin)
        blocks.append(
            f"<p>日志 log <code>{escape(claim.origin)}</code>,检查点覆盖 {claim.size:,} 条 entries</p>"
            f"<pre>root {b64encode(claim.root).decode()}\n副署 cosigned by {escape(names)}</pre>"
        )
    counts = f"{len(facts.placed):,}", f"{len(facts.report.statements):,}"
    words = f"{counts[0]} log entries with their proofs, and {counts[1]} signed statements."
    told = f"<p>本报告含 {counts[0]} 个日志条目及其默克尔证明、{counts[1]} 份签名声明。{_en(words)}</p>"
    return _section("证据", "Evidence", told + "".join(blocks))


def _doubts(facts: Facts) -> str:
    texts = [LEFT_OUT, ROLLED_UP, BEYOND_THE_LOG, TRUTH_OF_DATA, LATER_USE]
    if not all(chain.closed for chain in facts.chains):
        texts.insert(0, OPEN_END)
    items = "".join(f"<li>{escape(text.zh)} {_en(text.en)}</li>" for text in texts)
    return _section("未证明的事", "What is not proven", f"<ul>{items}</ul>")


def _footer(facts: Facts) -> str:
    name = f"{escape(facts.report.dataset)}-{facts.report.day}.html"
    proves = "The page itself proves nothing. Check it offline, without network or exchange:"
    again = "Every byte of this page is written again from the report inside it, and that is judged."
    return (
        f"<footer><p>页面本身不是证明。离线核对(无需网络,也无需交换中心):{_en(proves)}</p>"
        f"<pre>headwaters verify {name} --trust trust.json</pre>"
        f"<p>核对时逐字节重现本页,并按信任根验证内嵌的条目、声明与副署。{_en(again)}</p></footer>"
    )


# --- pieces -----------------------------------------------------------------------------------------


def _section(zh: str, en: str, body: str) -> str:
    return f"<section><h2>{zh} {_en(en)}</h2>{body}</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a heading that begins with # is of a column of numbers, its last words are English."""
    body = "".join(
        "<tr>" + "".join(_cell(head, cell) for head, cell in zip(heads, row, strict=True)) + "</tr>"
        for row in rows
    )
    if not body:
        return f"<p>无。 {_en('None.')}</p>"
    titles = "".join(_title(head) for head in heads)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _title(head: str) -> str:
    zh, _, en = head.removeprefix("#").partition(" ")
    kind = ' class="n"' if head.startswith("#") else ""
    return f"<th{kind}>{zh}{_en(en)}</th>"


def _cell(head: str, cell: str) -> str:
    return f'<td class="n">{cell}</td>' if head.startswith("#") else f"<td>{cell}</td>"


def _en(text: str) -> str:
    return f'<span class="en" lang="en">{escape(text)}</span>'


def _id(text: str) -> str:
    return f'<span class="id">{text}</span>' if text else ""


def _who(facts: Facts, participant: str) -> str:
    name = facts.names[participant]
    return f"{escape(name.zh)}{_en(name.en)}{_id(f'<code>{escape(participant)}</code>')}"


def _time(at: datetime | None) -> str:
    return "–" if at is None else f'<time datetime="{at.isoformat()}">{beijing(at)}</time>'


def _index(placed: Placed | None) -> str:
    return "–" if placed is None else str(placed.index)


def _view(one: Transfer) -> tuple[int, int]:
    receipt = one.receipts[0][0]
    return receipt.view_rows, receipt.view_size_bytes


def _closed_at(one: Transfer) -> tuple[datetime, str]:
    closing = one.closing or one.granted
    return closing.at, one.grant.grant


def _size(size_bytes: int) -> str:
    """Write bytes with a unit of 1024; every step is exact enough to be read, and the digest is exact."""
    value, unit = float(size_bytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{size_bytes:,} B" if unit == "B" else f"{value:,.1f} {unit}"


def _reasons(one: Denial) -> list[str]:
    """Give the reasons in words where they were kept, else the codes of the leaf."""
    said = one.opening.value.get("reasons")
    if isinstance(said, list) and all(isinstance(reason, str) for reason in said) and said:
        return [str(reason) for reason in said]
    codes = one.denied.entry.fields["why"]
    return [str(code) for code in codes] if isinstance(codes, list | tuple) else []
