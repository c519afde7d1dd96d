"""Scenes of quality: what the rules of the contracts found in the releases, and a quarantined row mended.

A finding leaves its row where it is; a row that breaks its contract waits in quarantine. What the catalogue
says is held against the artifacts, counted here in other words than the node has for it.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import polars as pl

from contracts import library
from contracts.messages import Sharing
from contracts.promises import Ordered, Sentinel, Severity
from exchange.demo.alliance import Alliance, StepFailed
from exchange.demo.cast import CALLED, CENTRE
from exchange.demo.inputs import Plan, PlannedDataset, may_be_missing
from exchange.demo.scenes_sharing import artifact_of, result_of
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary

# What a consumer can dispute record by record, the clearest first; the terminal shows some of it.
KINDS = ("sentinel", "ordered", "stuck", "plausible", "jump")
TOLD, RULES_OF_A_KIND = 3, 2

Row = dict[str, Any]  # Any: the JSON of a node


def look_at_findings(stage: Stage, alliance: Alliance, plan: Plan, summary: Summary) -> PlannedDataset:
    """Read the catalogue's counts, count some of them again; give the open dataset with the clearest ones."""
    stage.scene(
        "质量发现:行留下,问题公布",
        "what is odd about rows that keep their contract is found, signed and told",
    )
    entries = {row["dataset"]: row for row in alliance.node(CENTRE.slug).get("/local/catalog")["datasets"]}
    counts = _by_rule(plan, entries)
    for kind in KINDS[:TOLD]:
        for zh, en, records in _most(counts, kind):
            stage.line(f"{zh}:{records:,} 条记录,照常发布", f"{en}; the records stay", mark="!")
    recounted = [pair for one in plan.datasets for pair in _recounted(alliance, one, entries[one.dataset])]
    summary.checks["findings_recounted"] = bool(counts) and all(said == own for said, own in recounted)
    stage.line(
        f"目录公布的计数,从 {len(plan.datasets)} 个数据集的工件中另行数得 {len(recounted)} 项,逐项相同",
        "what the catalogue says, counted again from the artifacts in other words",
        mark="✓" if summary.checks["findings_recounted"] else "✗",
    )
    _hear(stage, alliance, plan, entries, summary)
    return _clearest(plan, entries)


def _by_rule(plan: Plan, entries: dict[str, Row]) -> Counter[tuple[str, str, str]]:
    """Add up over all datasets what each rule found that is more than a remark, by kind and title."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in plan.datasets:
        rules = {rule.id: rule for rule in library.load(one.contract).quality}
        for found in _findings(entries[one.dataset]):
            rule = rules[found["rule"]]
            if rule.severity is not Severity.INFO:
                counts[rule.kind, rule.title.zh, rule.title.en] += found["records"]
    return counts


def _most(counts: Counter[tuple[str, str, str]], kind: str) -> Iterator[tuple[str, str, int]]:
    """Give title and records of the rules of a kind that found most."""
    of_kind = [(zh, en, records) for (each, zh, en), records in counts.most_common() if each == kind]
    yield from of_kind[:RULES_OF_A_KIND]


def _findings(entry: Row) -> list[Row]:
    quality = entry["quality"]
    found: list[Row] = [] if quality is None else quality["findings"]
    return found


def _recounted(alliance: Alliance, dataset: PlannedDataset, entry: Row) -> Iterator[tuple[int, int]]:
    """Give what the catalogue says of each rule that looks at single records, and what its artifact holds."""
    shown = alliance.node(dataset.provider).get(f"/local/quality/{dataset.dataset}", {"limit": 0})
    if shown["release"] != entry["quality"]["release"]:
        raise StepFailed(f"the catalogue is behind {dataset.dataset}")
    rows = pl.read_parquet(artifact_of(alliance, dataset.provider, shown["report"]["artifact"]))
    said = {found["rule"]: found["records"] for found in _findings(entry)}
    for rule in library.load(dataset.contract).quality:
        if isinstance(rule, Ordered) and rule.tolerance == "0":
            yield said.get(rule.id, 0), int((rows[rule.lesser] > rows[rule.greater]).sum())
        elif isinstance(rule, Sentinel):
            odd = [rows[field].is_in([float(text) for text in rule.values]) for field in rule.fields]
            yield said.get(rule.id, 0), sum(int(column.sum()) for column in odd)


def _hear(stage: Stage, alliance: Alliance, plan: Plan, entries: dict[str, Row], summary: Summary) -> None:
    """Wait until the events that rules ask for are on the centre's list, each without a value."""
    loud: dict[str, int] = {}
    for one in plan.datasets:
        asking = {rule.id for rule in library.load(one.contract).quality if rule.event}
        found = sum(each["rule"] in asking for each in _findings(entries[one.dataset]))
        if found:
            loud[one.dataset] = found

    def heard() -> bool | None:
        events = alliance.node(CENTRE.slug).get("/local/events")["events"]
        facts = [one["facts"] for one in events if one["event_class"] == "quality.finding"]
        told = {one["dataset"]: one["rules"] for one in facts}
        return True if told.items() >= loud.items() else None

    if not loud:
        return
    summary.checks["findings_are_heard"] = wait_for("the events of the findings", heard)
    stage.line(
        f"{len(loud)} 个数据集的发现须告知全联盟:事件 quality.finding 只含规则与条数",
        "where a rule asks for it everybody hears an event: dataset, release, rule and count, no value",
        mark="!",
    )


def _clearest(plan: Plan, entries: dict[str, Row]) -> PlannedDataset:
    """Choose the open dataset whose findings a consumer would dispute first."""

    def rank(dataset: PlannedDataset) -> int:
        kinds = [found["kind"] for found in _findings(entries[dataset.dataset])]
        return min((KINDS.index(kind) for kind in kinds if kind in KINDS), default=len(KINDS))

    return min((one for one in plan.datasets if one.sharing is Sharing.UNCONDITIONAL), key=rank)


def mend_quarantined(stage: Stage, alliance: Alliance, plan: Plan, summary: Summary) -> None:
    """Say of an open row's wrong fields that they are missing, and publish it in a release of its own."""
    found = next(_mendable(alliance, plan), None)
    if found is None:
        raise StepFailed("no quarantined row can be mended")
    dataset, row, fields = found
    node, path = alliance.node(dataset.provider), f"/local/quarantine/{row['id']}"
    offered = node.post(f"{path}/resubmission", {"changes": dict.fromkeys(fields)})
    again = node.post(f"{path}/resubmission", {"changes": dict.fromkeys(fields)})
    before = _entry(alliance, dataset.dataset)
    done = result_of(
        node.stream_ndjson("/local/quarantine/releases", {"dataset": dataset.dataset}),
        "the mended row was not released",
    )
    after = _entry(alliance, dataset.dataset)
    summary.checks["quarantined_row_mended"] = (
        (offered["repeated"], again["repeated"]) == (False, True)
        and done["accepted"] == 1
        and node.get(path)["state"] == "accepted"
        and after["rows_published"] == before["rows_published"] + 1
        and after["rows_quarantined"] == before["rows_quarantined"] - 1
    )
    summary.rows_mended += done["accepted"]
    pointer, value = row["pointer"], row["value"]
    stage.line(
        f"{CALLED[dataset.provider]}隔离区 {dataset.dataset} 原第 {row['row']} 行 {pointer} = {value}:"
        "改为缺测,重新校验合格",
        "a quarantined row: the wrong value is said to be missing, and the row is judged anew",
    )
    stage.line(
        f"作为第 {done['release']} 批发布 {done['accepted']} 行;"
        f"目录中的隔离行 {before['rows_quarantined']} → {after['rows_quarantined']}",
        "released; the catalogue counts one row less in quarantine",
        mark="✓" if summary.checks["quarantined_row_mended"] else "✗",
    )


def _mendable(alliance: Alliance, plan: Plan) -> Iterator[tuple[PlannedDataset, Row, list[str]]]:
    """Give open rows of open datasets, real ones first, whose wrong fields may all be missing."""
    for dataset in sorted(plan.datasets, key=lambda one: (one.synthetic, -_size(one))):
        contract = library.load(dataset.contract)
        node = alliance.node(dataset.provider)
        query = {"dataset": dataset.dataset, "state": "open", "limit": 5}
        if dataset.sharing is not Sharing.UNCONDITIONAL:
            continue
        for row in node.get("/local/quarantine", query)["rows"]:
            reasons = node.get(f"/local/quarantine/{row['id']}")["reasons"]
            fields = sorted({reason["pointer"].removeprefix("/") for reason in reasons})
            if all(may_be_missing(contract, name) for name in fields):
                yield dataset, row, fields


def _size(dataset: PlannedDataset) -> int:
    return sum(file.stat().st_size for file in dataset.files)


def _entry(alliance: Alliance, dataset: str) -> Row:
    entry: Row = alliance.node(CENTRE.slug).get(f"/local/catalog/{dataset}")
    return entry
