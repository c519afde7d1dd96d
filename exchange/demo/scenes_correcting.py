"""A scene of correction (数据校核): a consumer objects, the provider corrects, everybody is reached.

The consumer disputes what its own node found in the rows that it received. The correction says of the
disputed values that they are missing: nobody here knows what they should have been, so none is made up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import polars as pl

from contracts import library
from contracts.clock import BEIJING, parse_rfc3339
from exchange.demo.alliance import Alliance, StepFailed
from exchange.demo.cast import CALLED
from exchange.demo.inputs import PlannedDataset, may_be_missing
from exchange.demo.scenes_quality import KINDS
from exchange.demo.scenes_sharing import artifact_of, pull, result_of
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary

RELEASE = 1
MOST_FINDINGS = 20

Row = dict[str, Any]  # Any: the JSON of a node


@dataclass(frozen=True, slots=True)
class Dispute:
    """What is disputed of a release: what one rule found in one field, and the rows, counted from 1."""

    rule: Row
    field: str
    rows: tuple[int, ...]


def object_and_correct(
    stage: Stage, alliance: Alliance, watched: PlannedDataset, recipients: Sequence[str], summary: Summary
) -> None:
    """Object to records of a dataset's first release, and follow the correction to every recipient."""
    stage.scene(
        "数据校核:异议、核实、更正、送达",
        "an objection, and a correction that reaches every earlier recipient",
    )
    dispute = choose(alliance, recipients[0], watched)
    name = _object(stage, alliance, recipients[0], watched, dispute)
    _verify(stage, alliance, watched, name, summary)
    body = {"path": str(_mend(alliance, watched, dispute)), "corrects": RELEASE, "objections": [name]}
    lines = alliance.node(watched.provider).stream_ndjson(
        "/local/publish", {"dataset": watched.dataset, **body}
    )
    corrected = result_of(lines, "the correction was not published")
    summary.corrections += 1
    stage.line(
        f"更正为第 {corrected['release']} 批,替代第 {RELEASE} 批:"
        f"{len(dispute.rows)} 处 {dispute.field} 改为缺测,其余原样",
        "a new release that names the one it replaces; the old one stays as it was signed",
    )
    _follow(stage, alliance, watched, recipients, (name, int(corrected["release"])), summary)
    shown = alliance.node(recipients[0]).get(
        f"/local/quality/{watched.dataset}", {"release": corrected["release"], "limit": 0}
    )
    left = next((one["records"] for one in shown["rules"] if one["rule"] == dispute.rule["rule"]), 0)
    summary.checks["correction_corrects"] = 0 <= left <= dispute.rule["records"] - len(dispute.rows)
    stage.line(
        f"使用方重新检查更正后的行:{dispute.rule['title']['zh']},"
        f"由 {dispute.rule['records']:,} 条降为 {left:,} 条",
        "the objector's node examines the corrected rows anew",
        mark=_mark(summary.checks["correction_corrects"]),
    )


def choose(alliance: Alliance, slug: str, dataset: PlannedDataset) -> Dispute:
    """Choose what a consumer disputes of what its own node found; a value that may be missing."""
    contract = library.load(dataset.contract)
    path, node = f"/local/quality/{dataset.dataset}", alliance.node(slug)
    head = node.get(path, {"release": RELEASE, "limit": 0})["report"]
    rules = [rule for rule in head["rules"] if rule["records"] and rule["kind"] in KINDS]
    for rule in sorted(rules, key=lambda one: KINDS.index(one["kind"])):
        query = {"release": RELEASE, "rule": rule["rule"], "limit": MOST_FINDINGS}
        found = node.get(path, query)["findings"]
        for field in found[0]["fields"] if found else ():
            if may_be_missing(contract, field):
                rows = {row for one in found if field in one["fields"] for row in one["rows"]}
                return Dispute(rule, field, tuple(sorted(rows)))
    raise StepFailed(f"nothing to dispute was found in {dataset.dataset}")


def _object(
    stage: Stage, alliance: Alliance, objector: str, dataset: PlannedDataset, dispute: Dispute
) -> str:
    title, rows = dispute.rule["title"], dispute.rows
    raised = alliance.node(objector).post(
        "/local/objections",
        {
            "dataset": dataset.dataset,
            "release": RELEASE,
            "fault": "wrong-value",
            "words": f"{title['zh']},疑非实测值 {title['en']}: hardly a measurement",
            "records": [{"row": row, "pointer": f"/{dispute.field}"} for row in rows],
        },
    )
    stage.line(
        f"{CALLED[objector]}对 {dataset.dataset} 第 {RELEASE} 批的 {len(rows)} 条记录提出异议:{title['zh']}",
        f"{title['en']}; rows and words are sealed for the provider, the exchange sees a digest",
        mark="!",
    )
    return str(raised["objection"])


def _verify(stage: Stage, alliance: Alliance, dataset: PlannedDataset, name: str, summary: Summary) -> None:
    """Let the provider read the objection, see its legal term, acknowledge and verify it."""
    provider = alliance.node(dataset.provider)
    wait_for("the objection at the provider", partial(_in_state, alliance, dataset.provider, name, "open"))
    received = provider.get(f"/local/objections/{name}")
    genuine = [one["as_delivered"] is True for one in received["disputed"]]
    provider.post(f"/local/objections/{name}/acknowledge", {"words": "正在复核 we look into it"})
    provider.post(f"/local/objections/{name}/verify", {"words": "属实 so it is"})
    summary.checks["objection_verified"] = bool(genuine) and all(genuine)
    stage.line(
        f"{CALLED[dataset.provider]}启封并逐条比对:{sum(genuine)} 条确为本省所交付;受理,核实属实",
        "the provider alone can read it, and holds each record against what it delivered",
        mark=_mark(summary.checks["objection_verified"]),
    )
    at_exchange = alliance.operator("auditor").get("/operator/objections")["objections"]
    (clock,) = [one for one in at_exchange if one["objection"] == name]
    raised, due = (parse_rfc3339(received[key]).astimezone(BEIJING) for key in ("raised_at", "due_at"))
    summary.checks["objection_has_a_term"] = (
        clock["due_at"] == received["due_at"] and not clock["overdue"] and (due - raised).days >= 10
    )
    stage.line(
        f"法定期限 10 个工作日:{raised:%m-%d} 提出,至 {due - timedelta(seconds=1):%m-%d} 终;逾期全联盟可知",
        "ten working days by the State Council's calendar; the alliance hears when it is overdue",
        mark=_mark(summary.checks["objection_has_a_term"]),
    )


def _in_state(alliance: Alliance, slug: str, name: str, state: str) -> Row | None:
    rows = alliance.node(slug).get("/local/objections")["objections"]
    return next((row for row in rows if (row["objection"], row["state"]) == (name, state)), None)


def _mend(alliance: Alliance, dataset: PlannedDataset, dispute: Dispute) -> Any:
    """Write the release again with the disputed values missing; give the file."""
    node = alliance.node(dataset.provider)
    shown = node.get(f"/local/quality/{dataset.dataset}", {"release": RELEASE, "limit": 0})
    whole = pl.read_parquet(artifact_of(alliance, dataset.provider, shown["report"]["artifact"]))
    disputed = pl.int_range(1, pl.len() + 1).is_in(dispute.rows)
    value = pl.when(disputed).then(None).otherwise(pl.col(dispute.field))
    mended = alliance.home / "input" / f"{dataset.dataset}-corrected.parquet"
    whole.with_columns(value.alias(dispute.field)).write_parquet(mended)
    return mended


def _follow(  # noqa: PLR0917 - the stage, the alliance, and who is to be reached by what
    stage: Stage,
    alliance: Alliance,
    dataset: PlannedDataset,
    recipients: Sequence[str],
    correction: tuple[str, int],
    summary: Summary,
) -> None:
    """See that each earlier recipient is told before it asks, and holds the correction after its pull."""
    name, number = correction
    told = [wait_for(f"the news at {one}", partial(_replaced, alliance, one, dataset)) for one in recipients]
    for one in recipients:
        pull(alliance, one, dataset.dataset)

    def reached() -> set[str] | None:
        rows = alliance.node(dataset.provider).get(f"/local/objections/{name}")["recipients"]
        return {row["participant"] for row in rows} if all(row["received"] for row in rows) else None

    holders = wait_for("the correction with every recipient", reached)
    closed = alliance.node(recipients[0]).post(f"/local/objections/{name}/close", {"words": "谢谢 thank you"})
    summary.checks["correction_reaches_everybody"] = set(told) == {number} and holders == {
        alliance.ids[one] for one in recipients
    }
    summary.checks["objection_closed"] = closed["state"] == "closed"
    stage.line(
        f"先前接收方{'、'.join(CALLED[one] for one in recipients)}得知旧批次已被替代,均已收到更正;异议办结",
        "each earlier recipient was told what replaces its copy, and holds it; closed by the objector",
        mark=_mark(summary.checks["correction_reaches_everybody"] and summary.checks["objection_closed"]),
    )


def _replaced(alliance: Alliance, slug: str, dataset: PlannedDataset) -> int | None:
    rows = alliance.node(slug).get("/local/received", {"dataset": dataset.dataset})["received"]
    found: int | None = next(row["replaced_by"] for row in rows if row["release"] == RELEASE)
    return found


def _mark(holds: bool) -> str:
    return "✓" if holds else "✗"
