"""How the exchange stands, for machines and operators: live, ready, metrics, status."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from contracts.canonical import Json
from contracts.errors import Unavailable
from contracts.messages import Emergency, LogStatus, MemberStatus
from exchange.edge import Wired, answer_json
from exchange.emergencies.model import Phase
from exchange.emergencies.store import unsettled
from exchange.identity import Person, person_with
from exchange.log import flow as log_flow
from exchange.log.startup import LogBehindWitnesses
from exchange.parts import Parts, Tally
from exchange.telemetry import METRICS_TYPE

router = APIRouter(tags=["health"])


class NotReady(Unavailable):
    """The exchange is not ready."""

    code = "not-ready"
    title_zh = "交换中心尚未就绪"


class WaitingForWitnesses(NotReady):
    """The log is sealed until enough witnesses have answered the start-up challenge."""

    code = "waiting-for-witnesses"
    title_zh = "日志等待见证方答复启动询问"
    next_zh = "启动 waiting_for 所列的见证节点;足够的节点答复后自动解封。"
    next_en = "Start the witnesses under waiting_for; the log opens by itself once enough have answered."


class TaskStopped(NotReady):
    """A background task has stopped."""

    code = "task-stopped"
    title_zh = "后台任务已停止"
    next_zh = "查看日志并重启交换中心。"
    next_en = "Read the log and restart the exchange."


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the status page and the operator see at a glance."""

    active_members: int
    witnesses: int
    tally: Tally
    log: LogStatus
    quarantined_members: int = 0
    emergencies: tuple[Emergency, ...] = ()
    reviews_due: int = 0
    reviews_overdue: int = 0


def overview(parts: Parts) -> Overview:
    """Gather the standing of all rooms."""
    now = parts.clock.now()
    with parts.database.read() as session:
        tally = parts.hooks.tally(session)
        emergencies = unsettled(session, now)
    phases = Counter(one.phase(now) for one in emergencies)
    standing = Counter(member.status for member in parts.roll.members())
    return Overview(
        active_members=standing[MemberStatus.ACTIVE],
        witnesses=len(parts.roll.witnesses()),
        tally=tally,
        log=log_flow.status(parts),
        quarantined_members=standing[MemberStatus.QUARANTINED],
        emergencies=tuple(one.statement for one in emergencies if one.is_in_force(now)),
        reviews_due=phases[Phase.ENDED],
        reviews_overdue=phases[Phase.OVERDUE],
    )


async def check_ready(parts: Parts) -> None:
    """Raise what keeps the exchange from working; an empty commit proves that the log's writer is well."""
    state = parts.log_state
    if state.refusal is not None:
        raise LogBehindWitnesses(state.refusal)
    if state.stopped_tasks:
        raise TaskStopped("a background task broke", tasks=list(state.stopped_tasks))
    await parts.log.commit(lambda _unit: None)
    if parts.log.sealed:
        raise WaitingForWitnesses(
            f"{state.answers_needed} more witnesses must answer", waiting_for=list(state.waiting_for)
        )


@router.get("/health/live")
async def live() -> Response:
    """Say that the process answers."""
    return answer_json({"status": "live"})


@router.get("/health/ready")
async def ready(parts: Wired) -> Response:
    """Say that the exchange can work, or why not."""
    await check_ready(parts)
    return answer_json({"status": "ready"})


@router.get("/metrics")
def metrics(parts: Wired) -> Response:
    """Give the metrics in the Prometheus text format."""
    seen, telemetry = overview(parts), parts.telemetry
    telemetry.grants.set(seen.tally.granted)
    telemetry.denials.set(seen.tally.denied)
    telemetry.members.set(seen.active_members)
    return Response(parts.telemetry.exposition(), media_type=METRICS_TYPE)


@router.get("/operator/status")
def status(parts: Wired, _person: Annotated[Person, Depends(person_with())]) -> Response:
    """Give people of any role the standing of everything."""
    return answer_json(_document(overview(parts)))


def _document(seen: Overview) -> Json:
    tally = seen.tally
    return {
        "members": seen.active_members,
        "witnesses": seen.witnesses,
        "datasets": tally.datasets,
        "releases": tally.releases,
        "rows": tally.rows,
        "transfers": {
            "granted": tally.granted,
            "denied": tally.denied,
            "done": tally.done,
            "expired": tally.expired,
            "aborted": tally.aborted,
            "bytes": tally.bytes,
        },
        "events": tally.events,
        "quarantined": seen.quarantined_members,
        "emergencies": {
            "in_force": len(seen.emergencies),
            "reviews_due": seen.reviews_due,
            "reviews_overdue": seen.reviews_overdue,
        },
        "log": seen.log.model_dump(mode="json"),
    }
