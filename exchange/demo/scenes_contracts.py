"""A scene of contracts: versions that lie or break are refused, and who loses something hears of it first.

A version that breaks its promise is refused with a witness, a record that one version admits and the other
refuses. Here the witness is judged by another engine than the one that found it.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from contracts import library
from contracts.compatibility.bump import Bump, lowest_version
from contracts.errors import HeadwatersError
from contracts.schema import Contract, parse_contract
from exchange.demo.alliance import Alliance
from exchange.demo.cast import CALLED
from exchange.demo.inputs import PlannedDataset, properties_of
from exchange.demo.scenes_sharing import PURPOSE, apply_for, subscribe
from exchange.demo.stage import Stage
from exchange.demo.summary import Summary

FIRST = "1.0.0"
DAYS = 90
LATER = 24  # times as late as promised

Document = dict[str, Any]  # Any: the JSON of a contract, or what a command or a node answered


def change_a_contract(
    stage: Stage, alliance: Alliance, watched: PlannedDataset, consumers: Sequence[str], summary: Summary
) -> None:
    """Found a contract of a province's own, offer next versions, and move its dataset over a breaking one."""
    stage.scene(
        "契约变更:谎报与破坏被拒绝,受影响者先知情",
        "a version that lies or breaks is refused; whoever would lose something hears of it first",
    )
    base = library.load(watched.contract)
    founded = json.loads(base.canonical()) | {"id": f"{base.id}-{watched.provider}", "version": FIRST}
    old = parse_contract(json.dumps(founded).encode())
    dataset = replace(watched, dataset=f"{watched.dataset}-own", contract=f"{old.id}@{old.version}", files=())
    _found(stage, alliance, dataset, old, consumers)
    summary.datasets += 1
    field = limited_field(old)
    minor, major = (lowest_version(old.version, step) for step in (Bump.MINOR, Bump.MAJOR))
    _be_refused(stage, alliance, dataset, (old, with_limit_halved(old, field, minor)), summary)
    _be_caught_lying(stage, alliance, dataset, later(old), summary)
    node = alliance.node(dataset.provider)
    taken = node.post("/local/contracts", _registration(with_field(old, minor)))
    summary.checks["giving_version_taken"] = taken["version"] == minor
    stage.line(
        f"只增加一个可空字段的 {minor}:登记",
        "a version that only gives, an optional field, is taken at once",
        mark="✓" if summary.checks["giving_version_taken"] else "✗",
    )
    node.post("/local/contracts", _registration(with_limit_halved(old, field, major)))
    _move(stage, alliance, (dataset, consumers), (old, major, field), summary)


def _found(
    stage: Stage, alliance: Alliance, dataset: PlannedDataset, contract: Contract, consumers: Sequence[str]
) -> None:
    """Register the first version, declare a dataset under it, and let consumers subscribe."""
    node = alliance.node(dataset.provider)
    node.post("/local/contracts", _registration(json.loads(contract.canonical())))
    node.post("/local/datasets", dataset.declaration())

    def join(consumer: str) -> None:
        application = apply_for(alliance, consumer, dataset.dataset, PURPOSE)
        subscribe(alliance, consumer, dataset.dataset, application)

    with ThreadPoolExecutor(max_workers=len(consumers)) as pool:
        list(pool.map(join, consumers))
    stage.line(
        f"{CALLED[dataset.provider]}自订契约 {contract.id} {contract.version},"
        f"{'、'.join(CALLED[one] for one in consumers)}订阅其数据集",
        "a contract of a province's own, and subscribers under it",
    )


def limited_field(contract: Contract) -> str:
    """Name the first measured field with an upper limit."""
    properties = properties_of(contract)
    limited = [field for field in contract.fields if "maximum" in properties.get(field.name, {})]
    return next((field.name for field in limited if field.unit), limited[0].name)


def with_limit_halved(contract: Contract, field: str, version: str) -> Document:
    """Write a version that refuses the upper half of what a field may hold."""
    document: Document = json.loads(contract.canonical()) | {"version": version}
    document["record"]["properties"][field]["maximum"] //= 2
    return document


def with_field(contract: Contract, version: str) -> Document:
    """Write a version with one more field, which may be missing."""
    document: Document = json.loads(contract.canonical()) | {"version": version}
    document["record"]["properties"]["visibility"] = {"type": ["number", "null"], "minimum": 0}
    title = {"zh": "能见度", "en": "visibility"}
    document["fields"].append(
        {"name": "visibility", "title": title, "unit": "km", "classification": 1, "note": None}
    )
    return document


def later(contract: Contract) -> Document:
    """Write a version that promises its data much later, under a number that says only words changed."""
    document: Document = json.loads(contract.canonical())
    document["version"] = lowest_version(contract.version, Bump.PATCH)
    document["service"]["latency_seconds"] *= LATER
    return document


def _be_refused(
    stage: Stage,
    alliance: Alliance,
    dataset: PlannedDataset,
    versions: tuple[Contract, Document],
    summary: Summary,
) -> None:
    """Offer a version that refuses records of the old one, and judge the witness of its refusal."""
    old, offered = versions
    field = limited_field(old)
    code, facts = _refusal(alliance, dataset, offered)
    witness = json.loads(str(facts.get("witness", "{}")))
    summary.checks["breaking_version_refused"] = (
        code == "contract-breaks"
        and Draft202012Validator(old.record).is_valid(witness)
        and not Draft202012Validator(offered["record"]).is_valid(witness)
    )
    limit = offered["record"]["properties"][field]["maximum"]
    stage.line(
        f"{field} 上限减半到 {limit:,},却称 {offered['version']}:拒绝,反例 {field} = {witness.get(field)}",
        "a record that the old version admits and the new one refuses; judged again by jsonschema",
        mark="✗" if summary.checks["breaking_version_refused"] else "!",
    )


def _be_caught_lying(
    stage: Stage, alliance: Alliance, dataset: PlannedDataset, offered: Document, summary: Summary
) -> None:
    code, facts = _refusal(alliance, dataset, offered)
    summary.checks["lying_version_refused"] = code == "version-lies"
    stage.line(
        f"时效放宽 {LATER} 倍却只升修订号到 {offered['version']}:拒绝,至少应为 {facts.get('lowest')}",
        "a looser service level under a number that says only words changed",
        mark="✗" if summary.checks["lying_version_refused"] else "!",
    )


def _move(
    stage: Stage,
    alliance: Alliance,
    moving: tuple[PlannedDataset, Sequence[str]],
    step: tuple[Contract, str, str],
    summary: Summary,
) -> None:
    """Declare the dataset under the breaking version: refused, announced, refused, acknowledged, moved."""
    (dataset, consumers), (old, major, field) = moving, step
    node = alliance.node(dataset.provider)
    before, after = f"{old.id}@{old.version}", f"{old.id}@{major}"
    declared = dataset.declaration() | {"contract": after}
    unannounced = _code(alliance, dataset.provider, "/local/datasets", declared)
    (impact,) = node.get("/local/versions/impact", {"successor": after})["impacts"]
    users = {use["consumer"]: use["touched"] for use in impact["users"]}
    why = "上限过宽 the limit was too wide"
    notice = node.post(
        "/local/versions/notices", {"contract": before, "successor": after, "days": DAYS, "why": why}
    )
    early = _code(alliance, dataset.provider, "/local/datasets", declared)
    stage.line(
        f"数据集 {dataset.dataset} 改用 {major}:未通知被拒绝;"
        f"受影响的{'、'.join(CALLED[one] for one in consumers)}都用到 {field},通知期 {DAYS} 天未满也被拒绝",
        "refused without notice, and while it runs; who uses which field is listed before it is given",
        mark="✗",
    )
    for slug in consumers:
        alliance.node(slug).post("/local/versions/answers", {"deprecation": notice["deprecation"]})
    moved = node.post("/local/datasets", declared)
    summary.checks["subscribers_hear_first"] = (
        (unannounced, early) == ("notice-missing", "notice-running")
        and users == {alliance.ids[slug]: [field] for slug in consumers}
        and sorted(notice["waiting"]) == sorted(users)
        and moved["contract"]["version"] == major
    )
    stage.line(
        f"{len(consumers)} 个订阅方都签署确认,数据集改用 {major}",
        "every active subscriber has agreed, so it need not wait for the end of the notice",
        mark="✓" if summary.checks["subscribers_hear_first"] else "!",
    )


def _refusal(alliance: Alliance, dataset: PlannedDataset, offered: Document) -> tuple[str, Document]:
    """Offer a version; give the code of its refusal and the facts, none where it was taken."""
    try:
        alliance.node(dataset.provider).post("/local/contracts", _registration(offered))
    except HeadwatersError as refusal:
        return _code_of(refusal), dict(refusal.facts)
    return "", {}


def _code(alliance: Alliance, slug: str, path: str, body: Document) -> str:
    try:
        alliance.node(slug).post(path, body)
    except HeadwatersError as refusal:
        return _code_of(refusal)
    return ""


def _code_of(refusal: HeadwatersError) -> str:
    """Give the code with which the exchange refused, where the node passes it on."""
    return str(refusal.facts.get("code") or refusal.code)


def _registration(document: Document) -> Document:
    return {"contract": json.dumps(document)}
