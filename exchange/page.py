"""The status page: one small HTML page for people, Chinese first, without script and without private data.

Everything that is shown is escaped; the policy allows nothing but the page's own stylesheet.
"""

from html import escape

from fastapi import APIRouter, Response

from contracts.clock import beijing, from_epoch_ms
from contracts.messages import LogStatus, Severity
from exchange.edge import Wired
from exchange.health import Overview, overview
from exchange.parts import RecentEvent

router = APIRouter(tags=["page"])

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_SEVERITY_ZH = {Severity.LOW: "低", Severity.MEDIUM: "中", Severity.HIGH: "高", Severity.CRITICAL: "严重"}

_STYLE = """
:root { color-scheme: light dark; --ink: #17324d; --soft: #5b7083; --line: #d5dee6; --good: #1a7f4b;
  --bad: #b3261e; --paper: #fbfdfe; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4edf4; --soft: #9fb2c2; --line: #33475a;
  --good: #62d196; --bad: #ff8a80; --paper: #101a24; } }
body { margin: 0 auto; max-width: 56rem; padding: 2rem 1.25rem; color: var(--ink); background: var(--paper);
  font: 16px/1.6 "Noto Sans SC", "PingFang SC", "Microsoft YaHei", system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
small, .en { color: var(--soft); font-weight: normal; }
.state { border: 1px solid var(--line); border-left: .4rem solid var(--good); padding: .75rem 1rem;
  margin: 1.5rem 0; }
.state.bad { border-left-color: var(--bad); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 1rem; margin: 0; }
dt { color: var(--soft); font-size: .875rem; }
dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; } caption { text-align: left; color: var(--soft); }
th, td { text-align: left; padding: .4rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
""".strip()


@router.get("/static/style.css", include_in_schema=False)
def style() -> Response:
    """Give the page's stylesheet."""
    return Response(_STYLE, media_type="text/css; charset=utf-8", headers={"cache-control": "max-age=3600"})


@router.get("/", include_in_schema=False)
def page(parts: Wired) -> Response:
    """Show how the alliance stands."""
    html = render(overview(parts), parts.log_state.refusal)
    return Response(html, media_type="text/html; charset=utf-8", headers=_HEADERS)


def render(seen: Overview, refusal: str | None) -> str:
    """Write the page."""
    tally, log = seen.tally, seen.log
    numbers = [
        ("参与方", "members", f"{seen.active_members:,}"),
        ("见证方", "witnesses", f"{seen.witnesses:,}"),
        ("数据集", "datasets", f"{tally.datasets:,}"),
        ("发布批次", "releases", f"{tally.releases:,}"),
        ("完成传输", "transfers done", f"{tally.done:,}"),
        ("拒绝", "denied", f"{tally.denied:,}"),
        ("日志条目", "log entries", f"{log.size:,}"),
        ("已见证条目", "witnessed entries", f"{log.witnessed_size:,}"),
        ("副署 / 法定数", "cosignatures / quorum", f"{log.cosignatures} / {log.quorum}"),
        ("安全事件", "events", f"{tally.events:,}"),
    ]
    cells = "".join(
        f'<div><dt>{zh} <span class="en" lang="en">{en}</span></dt><dd>{escape(value)}</dd></div>'
        for zh, en, value in numbers
    )
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>源汇交换中心 Headwaters</title><link rel="stylesheet" href="/static/style.css"></head><body>'
        '<header><h1>源汇交换中心 <small lang="en">Headwaters exchange</small></h1>'
        f"<small>{escape(log.origin)}</small></header><main>"
        f"{_state(log, refusal)}{_warnings(seen)}"
        f"<h2>总览 <small lang='en'>at a glance</small></h2><dl>{cells}</dl>"
        f"<h2>近期安全事件 <small lang='en'>recent events</small></h2>{_events(tally.recent)}"
        "</main></body></html>\n"
    )


def _state(log: LogStatus, refusal: str | None) -> str:
    if refusal is not None:
        return _box(
            False,
            "✗ 日志落后于见证方所见,已停止签署。",
            f"The log is behind its witnesses and signs nothing: {refusal}.",
        )
    if log.sealed:
        return _box(
            False,
            "… 日志封存中,等待见证方答复启动询问。",
            "The log is sealed until its witnesses have answered.",
        )
    if log.witnesses < log.quorum:
        return _box(
            False,
            f"! 见证方不足:{log.witnesses} 个,法定数 {log.quorum}。",
            "There are fewer witnesses than the quorum; nothing is published as witnessed.",
        )
    if log.unwitnessed_since is not None:
        since, stops = beijing(log.unwitnessed_since), log.business_stops_at
        until = "" if stops is None else f"新业务最迟于 {beijing(stops)} 停办。"
        return _box(
            False,
            f"! 自 {since}(UTC+8)起有条目尚未被足够的见证方副署。{until}",
            "Some entries have not been cosigned by a quorum yet; new business stops when the grace is over.",
        )
    return _box(
        True,
        "✓ 全部日志条目已由法定数量的见证方副署。",
        "Every log entry is cosigned by a quorum of witnesses.",
    )


def _warnings(seen: Overview) -> str:
    """Say what is not as in ordinary times."""
    boxes = [
        _box(
            False,
            f"! 紧急状态生效:{one.title.zh},至 {beijing(one.until)}(UTC+8)。",
            f"An emergency is in force: {one.title.en}.",
        )
        for one in seen.emergencies
    ]
    if seen.reviews_overdue:
        boxes.append(
            _box(
                False,
                f"! {seen.reviews_overdue} 次紧急状态逾期未作事后审查。",
                "The review of an emergency is overdue.",
            )
        )
    if seen.quarantined_members:
        boxes.append(
            _box(
                False,
                f"! {seen.quarantined_members} 个参与方被隔离。",
                "Participants are quarantined: nothing goes to them or comes from them.",
            )
        )
    return "".join(boxes)


def _box(is_good: bool, zh: str, en: str) -> str:
    kind = "state" if is_good else "state bad"
    return (
        f'<p class="{kind}" role="status">{escape(zh)}<br><span class="en" lang="en">{escape(en)}</span></p>'
    )


def _events(recent: tuple[RecentEvent, ...]) -> str:
    if not recent:
        return '<p>暂无。 <span class="en" lang="en">None.</span></p>'
    rows = "".join(
        f"<tr><td>{event.number}</td><td>{beijing(from_epoch_ms(event.at_ms))}</td>"
        f"<td>{_SEVERITY_ZH[event.severity]} <span class='en' lang='en'>{event.severity.value}</span></td>"
        f"<td>{escape(event.title.zh)}<br>"
        f"<span class='en' lang='en'>{escape(event.title.en)}</span></td></tr>"
        for event in recent
    )
    head = "<tr><th>编号</th><th>时间 (UTC+8)</th><th>级别</th><th>事件</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
