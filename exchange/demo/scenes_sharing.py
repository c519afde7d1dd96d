"""Scenes of sharing: contracts, releases, applications, agreements, subscriptions, transfers."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.clock import rfc3339
from contracts.errors import Refused
from contracts.messages import Sharing
from exchange.demo.alliance import Alliance, StepFailed
from exchange.demo.cast import BANK, CALLED, CENTRE, PROVINCES
from exchange.demo.inputs import Plan, PlannedDataset
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary

SHARED_DATASETS = 5
CONSUMERS_AT_ONCE = 4
PURPOSE = "regional-assessment"


@dataclass(frozen=True, slots=True)
class Pulled:
    """One consumer's received files of one dataset."""

    consumer: str
    dataset: PlannedDataset
    files: list[dict[str, Any]]


def publish(stage: Stage, alliance: Alliance, plan: Plan, summary: Summary) -> None:
    """Every province registers contracts, declares its datasets and publishes its files."""
    stage.scene(
        "登记契约,逐行校验,发布",
        "contracts registered, rows validated one by one, releases signed and logged",
    )
    providers = {dataset.provider for dataset in plan.datasets}
    with ThreadPoolExecutor(max_workers=len(providers)) as pool:
        jobs = [pool.submit(_publish_all, stage, alliance, plan, provider) for provider in sorted(providers)]
        summary.add_sources([result for job in jobs for result in job.result()])
    summary.datasets = len(plan.datasets)


def _publish_all(stage: Stage, alliance: Alliance, plan: Plan, provider: str) -> list[dict[str, Any]]:
    node = alliance.node(provider)
    results = []
    for dataset in (d for d in plan.datasets if d.provider == provider):
        node.post("/local/contracts", {"contract": dataset.contract})
        node.post("/local/datasets", dataset.declaration())
        results += [publish_release(stage, alliance, dataset, file) for file in dataset.files]
    return results


def publish_release(stage: Stage, alliance: Alliance, dataset: PlannedDataset, file: Path) -> dict[str, Any]:
    """Let a dataset's provider publish one file; give its row of the summary."""
    result = publish_file(alliance, dataset.provider, dataset.dataset, file)
    stage.line(
        f"{CALLED[dataset.provider]} {dataset.dataset} 第 {result['release']} 批:"
        f"发布 {result['published']:,} 行,隔离 {result['quarantined']:,} 行",
        f"{file.name}, {dataset.place}",
    )
    return {
        "dataset": dataset.dataset,
        "file": file.name,
        "place": dataset.place,
        "sha256": result["source"]["sha256"],
        "rows": result["read"],
        "rows_published": result["published"],
        "rows_quarantined": result["quarantined"],
        "synthetic": dataset.synthetic,
        "sharing": dataset.sharing.value,
        "provider": dataset.provider,
    }


def agree_and_pull(stage: Stage, alliance: Alliance, plan: Plan, watched: PlannedDataset) -> list[Pulled]:
    """Consumers search, apply, get agreements, subscribe and pull, ``watched`` first; one is refused."""
    stage.scene("检索、申请、协议、订阅、接收", "search, apply, agree, subscribe, pull by cursor")
    found = alliance.node(CENTRE.slug).get("/local/catalog", {"q": ""})
    stage.line(f"信息中心在目录中找到 {len(found['datasets'])} 个数据集", "the centre searches the catalogue")
    wanted = _open_pairs(plan, watched)
    with ThreadPoolExecutor(max_workers=CONSUMERS_AT_ONCE) as pool:
        pulled = list(pool.map(lambda pair: take(stage, alliance, *pair), wanted))
    conditional = plan.first(Sharing.CONDITIONAL)
    consumer = next(p.slug for p in PROVINCES if p.slug != conditional.provider)
    pulled.append(_take_with_approval(stage, alliance, consumer, conditional, PURPOSE))
    pulled.append(
        _take_with_approval(stage, alliance, BANK.slug, plan.enterprise, plan.enterprise.purposes[0])
    )
    _be_refused(stage, alliance, plan)
    return pulled


def _open_pairs(plan: Plan, watched: PlannedDataset) -> list[tuple[str, PlannedDataset]]:
    """Let each of the first open datasets go to a neighbouring province, and two to the centre as well."""
    slugs = [player.slug for player in PROVINCES]
    others = [d for d in plan.datasets if d.sharing is Sharing.UNCONDITIONAL and d is not watched]
    open_datasets = [watched, *others][:SHARED_DATASETS]
    pairs = [(slugs[(slugs.index(d.provider) + 2) % len(slugs)], d) for d in open_datasets]
    return pairs + [(CENTRE.slug, d) for d in open_datasets[:2]]


def apply_for(alliance: Alliance, consumer: str, dataset: str, purpose: str) -> dict[str, Any]:
    """Let a consumer apply; a refusal is raised as the exchange gave it."""
    answer: dict[str, Any] = alliance.node(consumer).post(
        "/local/applications",
        {
            "dataset": dataset,
            "purpose": purpose,
            "basis": "长江上游六省市生态环境数据共享合作协议 the alliance's cooperation agreement",
            "scenario": "跨省流域与大气联合研判 joint assessment across provinces",
            "scope": "本单位内部使用 internal use",
            "until": rfc3339(datetime.now(UTC) + timedelta(days=365)),
        },
    )
    return answer


def take(stage: Stage, alliance: Alliance, consumer: str, dataset: PlannedDataset) -> Pulled:
    """Let a consumer apply for an open dataset, subscribe and receive it."""
    application = apply_for(alliance, consumer, dataset.dataset, PURPOSE)
    return _receive(stage, alliance, consumer, dataset, application)


def _take_with_approval(
    stage: Stage, alliance: Alliance, consumer: str, dataset: PlannedDataset, purpose: str
) -> Pulled:
    application = apply_for(alliance, consumer, dataset.dataset, purpose)
    approve(stage, alliance, consumer, dataset, application)
    return _receive(stage, alliance, consumer, dataset, application)


def approve(
    stage: Stage, alliance: Alliance, consumer: str, dataset: PlannedDataset, application: dict[str, Any]
) -> None:
    """Let a person at the provider agree to an application once it is held there."""
    held = wait_for("the provider's held application", lambda: _held(alliance, dataset, application))
    alliance.node(dataset.provider).post(f"/local/applications/{held}/approve", {})
    stage.line(
        f"{CALLED[dataset.provider]}人工同意{CALLED[consumer]}使用 {dataset.dataset}",
        "a person at the provider approves",
    )


def _held(alliance: Alliance, dataset: PlannedDataset, application: dict[str, Any]) -> str | None:
    rows = alliance.node(dataset.provider).get("/local/applications")["applications"]
    wanted = application["application"]
    return next(
        (str(wanted) for row in rows if row["application"] == wanted and row["state"] == "held"), None
    )


def _receive(
    stage: Stage,
    alliance: Alliance,
    consumer: str,
    dataset: PlannedDataset,
    application: dict[str, Any],
) -> Pulled:
    subscribe(alliance, consumer, dataset.dataset, application)
    result = pull(alliance, consumer, dataset.dataset)
    if not result["files"]:
        raise StepFailed(f"{consumer} received nothing of {dataset.dataset}")
    redacted = sorted({field for file in result["files"] for field in file["redacted"]})
    rows = sum(file["rows"] for file in result["files"])
    hidden = f",隐去 {len(redacted)} 列" if redacted else ""
    hides = f"; hidden: {', '.join(redacted)}" if redacted else ""
    stage.line(
        f"{CALLED[consumer]}接收 {dataset.dataset}:{len(result['files'])} 批,{rows:,} 行{hidden}",
        f"granted, logged, delivered, both receipts signed{hides}",
    )
    return Pulled(consumer, dataset, result["files"])


def subscribe(alliance: Alliance, consumer: str, dataset: str, application: dict[str, Any]) -> None:
    """Wait until both sides have signed the agreement, and subscribe under it."""
    node = alliance.node(consumer)

    def agreed() -> bool | None:
        rows = node.get("/local/applications")["applications"]
        state = {row["application"]: row["state"] for row in rows}.get(application["application"])
        return True if state == "agreed" else None

    wait_for("the agreement", agreed)
    node.post("/local/subscriptions", {"dataset": dataset})


def pull(alliance: Alliance, consumer: str, dataset: str) -> dict[str, Any]:
    """Let a consumer receive what is new of a dataset; give the files and the cursor."""
    lines = alliance.node(consumer).stream_ndjson("/local/pull", {"dataset": dataset})
    return result_of(lines, f"{consumer} could not pull {dataset}")


def publish_file(alliance: Alliance, provider: str, dataset: str, file: Path) -> dict[str, Any]:
    """Let a provider publish one file; give what came of it."""
    body = {"path": str(file), "dataset": dataset}
    lines = alliance.node(provider).stream_ndjson("/local/publish", body)
    return result_of(lines, f"{provider} could not publish {file.name}")


def result_of(lines: Iterable[dict[str, Any]], failure: str) -> dict[str, Any]:
    """Give what a long act came to, the last line of its answer; raise StepFailed where there is none."""
    result: dict[str, Any] | None = next((line["result"] for line in lines if "result" in line), None)
    if result is None:
        raise StepFailed(failure)
    return result


def artifact_of(alliance: Alliance, provider: str, digest: str) -> Path:
    """Name the file at the provider that holds a release."""
    return alliance.node_home(provider) / "artifacts" / f"{digest.removeprefix('sha256:')}.parquet"


def _be_refused(stage: Stage, alliance: Alliance, plan: Plan) -> None:
    closed = plan.first(Sharing.NOT_SHARED)
    consumer = next(p.slug for p in reversed(PROVINCES) if p.slug != closed.provider)
    try:
        apply_for(alliance, consumer, closed.dataset, PURPOSE)
    except Refused as refusal:
        reasons = refusal.facts.get("reasons", [])
        if not reasons:
            raise StepFailed("the refusal of a not-shared dataset names no reason") from refusal
        zh, _, en = str(reasons[0] if isinstance(reasons, list) else reasons).partition(" / ")
        stage.line(
            f"{CALLED[consumer]}申请 {closed.dataset} 被拒绝:{zh}",
            f"refused with reasons, logged first: {en}",
            mark="✗",
        )
        return
    raise StepFailed(f"{closed.dataset} is not shared, and yet the application went through")
