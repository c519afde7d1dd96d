"""Health, metrics, the operator's status and the page: honest, escaped, and without private data."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from contracts.clock import from_epoch_ms
from contracts.errors import Unavailable
from contracts.messages import Emergency, LogStatus, Scope, Severity, Text
from exchange import background
from exchange.health import Overview
from exchange.log.status import LogState
from exchange.page import CONTENT_SECURITY_POLICY, render
from exchange.parts import RecentEvent, Tally
from tests.exchange.provinces import ORIGIN, Exchange, code

pytestmark = pytest.mark.anyio


def seen(**changes: object) -> Overview:
    """Write an overview of a healthy exchange; ``changes`` replace fields of the log's status."""
    fields = {
        "origin": ORIGIN,
        "size": 9,
        "witnessed_size": 9,
        "cosignatures": 5,
        "quorum": 5,
        "witnesses": 7,
        "unwitnessed_since": None,
        "sealed": False,
    } | changes
    nasty = Text(zh="<script>坏</script>", en='"><img src=x>')
    event = RecentEvent(1, Severity.HIGH, nasty, 1_795_334_400_000)
    return Overview(7, 7, Tally(datasets=3, recent=(event,)), LogStatus.model_validate(fields))


async def test_a_healthy_exchange_is_live_and_ready(exchange: Exchange) -> None:
    """Live says that the process answers, ready that its log takes work."""
    live, ready = await exchange.http.get("/health/live"), await exchange.http.get("/health/ready")

    assert (live.json(), ready.json()) == ({"status": "live"}, {"status": "ready"})


async def test_a_log_that_stopped_is_not_ready(exchange: Exchange) -> None:
    """When the log's writer is gone, readiness fails while the process still answers."""
    exchange.parts.log.close()

    assert code(await exchange.http.get("/health/ready")) == (503, "log-unavailable")
    assert (await exchange.http.get("/health/live")).status_code == 200


async def test_a_broken_task_is_not_hidden() -> None:
    """A refusal is tried again; a bug stops its task and is named for readiness."""
    state, tries = LogState(), []

    async def down() -> None:
        tries.append(1)
        raise Unavailable("down") if len(tries) < 3 else ZeroDivisionError

    tasks = {"sweep": background.every(0, "sweep", down)}
    async with background.running(tasks, state):
        while not state.stopped_tasks:  # noqa: ASYNC110  # nobody is there to set an event
            await asyncio.sleep(0)

    assert (state.stopped_tasks, len(tries)) == (["sweep"], 3)


async def test_a_stopped_task_is_in_readiness(exchange: Exchange) -> None:
    """Readiness names a task that broke."""
    exchange.parts.log_state.stopped_tasks.append("expiry")
    ready = await exchange.http.get("/health/ready")

    assert code(ready) == (503, "task-stopped")
    assert ready.json()["facts"] == {"tasks": ["expiry"]}


async def test_metrics_count_routes_and_not_paths(exchange: Exchange) -> None:
    """Requests are counted under the route's template, so ids do not multiply the series."""
    for name in ("p-aaaaaaaaaaaa", "p-bbbbbbbbbbbb"):
        await exchange.http.get(f"/members/{name}/status")
    text = (await exchange.http.get("/metrics")).text

    assert 'route="/members/{participant}/status",status="404"} 2.0' in text
    assert "p-aaaaaaaaaaaa" not in text
    assert "headwaters_active_members 0.0" in text
    assert f"headwaters_log_size {float(exchange.parts.log.size())}" in text


async def test_a_request_id_comes_back(exchange: Exchange) -> None:
    """A sensible id from outside is kept; anything else is replaced."""
    kept = await exchange.http.get("/health/live", headers={"x-request-id": "trace-12345678"})
    replaced = await exchange.http.get("/health/live", headers={"x-request-id": "a b\x7f"})

    assert kept.headers["x-request-id"] == "trace-12345678"
    assert re.fullmatch(r"x-[a-z2-9]{12}", replaced.headers["x-request-id"])


async def test_log_lines_are_facts(exchange: Exchange) -> None:
    """A request leaves one line with its route, status and duration, and no address or body."""
    with structlog.testing.capture_logs() as lines:
        await exchange.http.get("/log/status?secret=1")
    (line,) = [line for line in lines if line["event"] == "request_done"]

    assert line.keys() == {"event", "log_level", "method", "route", "status", "ms"}
    assert (line["route"], line["status"]) == ("/log/status", 200)


async def test_an_unknown_path_is_a_problem_document(exchange: Exchange) -> None:
    """A path that leads nowhere, or a wrong method, is answered in both languages."""
    nowhere, wrong = await exchange.http.get("/nowhere"), await exchange.http.get("/join")

    assert (code(nowhere), wrong.json()["code"]) == ((404, "no-such-path"), "method-not-allowed")
    assert nowhere.json()["title_zh"]


async def test_the_status_counts_everything(exchange: Exchange) -> None:
    """The operator sees members, rooms and log in one answer."""
    await exchange.admit()
    status = (await exchange.person("operator").get("/operator/status")).json()

    assert (status["members"], status["witnesses"], status["datasets"]) == (1, 1, 0)
    assert status["transfers"] == {
        "granted": 0,
        "denied": 0,
        "done": 0,
        "expired": 0,
        "aborted": 0,
        "bytes": 0,
    }
    assert status["log"]["size"] == exchange.parts.log.size()


async def test_the_page_is_strict_and_chinese_first(exchange: Exchange) -> None:
    """The page carries no script, allows none, and says how the log stands."""
    page = await exchange.http.get("/")
    style = await exchange.http.get("/static/style.css")

    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert page.text.startswith('<!doctype html>\n<html lang="zh-CN">')
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "见证方不足" in page.text
    assert style.headers["content-type"] == "text/css; charset=utf-8"


def test_the_page_escapes_everything() -> None:
    """What an event says is text, never markup."""
    html = render(seen(), None)

    assert "<script>" not in html
    assert "<img" not in html
    assert "&lt;script&gt;坏" in html


@pytest.mark.parametrize(
    ("changes", "refusal", "words"),
    [
        ({}, None, "全部日志条目已由法定数量的见证方副署"),
        ({"witnesses": 4}, None, "见证方不足"),
        ({"sealed": True}, None, "日志封存中"),
        ({}, "p-x <b>saw</b> more", "&lt;b&gt;saw"),
    ],
)
def test_the_page_says_the_worst_first(changes: dict[str, object], refusal: str | None, words: str) -> None:
    """One sentence at the top says whether all is well, and if not, what is wrong."""
    assert words in render(seen(**changes), refusal)


def test_the_page_says_what_is_not_ordinary() -> None:
    """An emergency in force, an overdue review and a quarantine stand at the top, escaped."""
    began = from_epoch_ms(1_795_334_400_000)
    emergency = Emergency(
        emergency="m-aaaaaaaaaaaa",
        title=Text(zh="<b>沱江</b>", en="<b>Tuo</b>"),
        why="ammonia",
        scope=Scope(territories=["51"]),
        declared_at=began,
        until=began + timedelta(hours=1),
    )
    unusual = replace(seen(), emergencies=(emergency,), reviews_overdue=2, quarantined_members=1)
    html = render(unusual, None)

    assert "紧急状态生效:&lt;b&gt;沱江&lt;/b&gt;,至 2026-11-22 17:00:00(UTC+8)" in html
    assert "2 次紧急状态逾期未作事后审查" in html
    assert "1 个参与方被隔离" in html
    assert "紧急" not in render(seen(), None)


async def test_the_status_counts_quarantine(exchange: Exchange) -> None:
    """The operator sees how many participants are cut off."""
    province = await exchange.admit()
    await exchange.act(province, "quarantine", {"reason": "its keys may be in other hands"})
    status = (await exchange.person("operator").get("/operator/status")).json()

    assert (status["members"], status["quarantined"]) == (0, 1)
    assert status["emergencies"] == {"in_force": 0, "reviews_due": 0, "reviews_overdue": 0}


def test_the_page_tells_the_hour_in_beijing() -> None:
    """Since when entries are unwitnessed is shown in UTC+8."""
    standing = seen().log.model_copy(update={"size": 10})
    overview = Overview(
        7, 7, Tally(), standing.model_copy(update={"unwitnessed_since": from_epoch_ms(1_795_334_400_000)})
    )

    assert "2026-11-22 16:00:00(UTC+8)" in render(overview, None)


async def test_invented_methods_do_not_multiply_the_series(exchange: Exchange) -> None:
    """A caller's own methods are counted together, so nobody can fill the memory with labels."""
    for n in range(3):
        await exchange.http.request(f"ODD{n}", "/health/live")
    text = (await exchange.http.get("/metrics")).text

    assert "ODD" not in text
    assert 'headwaters_requests_total{method="other"' in text
