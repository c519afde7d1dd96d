"""Scenes of policy: what a view hides, why a request was refused, a change by two people, an emergency.

What a person would do by command is done by command here; each check is made from something else than the
part that it judges: the provider's artifact beside the received file, the deliveries beside the review.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl

from audit.proofs.transfer_proof import read_proof
from contracts.errors import Refused
from contracts.messages import EMERGENCY_PURPOSE, Grant, Manifest, Receipt
from exchange.demo import synthetic
from exchange.demo.alliance import Alliance, StepFailed
from exchange.demo.cast import BANK, CALLED
from exchange.demo.inputs import Plan
from exchange.demo.processes import run, run_together
from exchange.demo.scenes_evidence import proof_of
from exchange.demo.scenes_sharing import Pulled, apply_for, approve, publish_release, pull, subscribe
from exchange.demo.scenes_trust import PROBED_FOR
from exchange.demo.stage import Stage
from exchange.demo.summary import Summary
from nodes.delivering.duties.watermarks import digest_of
from policies.bundle import seal, shipped_folder

# What a command printed: JSON of the shape that its reference page gives. A row of a table is one as well.
Row = dict[str, Any]

NEIGHBOUR = "guizhou"
_FINES_TO = 100_000
_PRIVATE = {"contact_name", "contact_phone", "legal_representative", "inspection_note", "industry_code"}
# The change that is proposed: what is open to everybody shall be open to a bank as well.
_REFUSED_AS = "sector-not-named"
_RULE = "headwaters/access.rego"
_BEFORE = """\
		[1 | input.participant.sector == "government"],
"""
_AFTER = """\
		array.concat(
			[1 | input.participant.sector == "government"],
			[1 | input.participant.sector == "finance"; input.dataset.sharing == "unconditional"],
		),
"""


@dataclass(frozen=True, slots=True)
class _Delivered:
    """One file as its consumer holds it, with what its proof says of it."""

    path: Path
    manifest: Manifest
    grant: Grant
    receipts: tuple[Receipt, Receipt]

    @classmethod
    def of(cls, pulled: Pulled) -> "_Delivered":
        """Read the first file of a delivery and the proof beside it."""
        path = Path(pulled.files[0]["path"])
        said = read_proof(proof_of(path).read_bytes()).envelopes
        return cls(
            path,
            Manifest.parse(said.manifest.payload),
            Grant.parse(said.grant.payload),
            (Receipt.parse(said.provider_receipt.payload), Receipt.parse(said.consumer_receipt.payload)),
        )


def look_at_the_view(
    stage: Stage, alliance: Alliance, plan: Plan, transfers: list[Pulled], summary: Summary
) -> None:
    """Hold what the bank received against what its provider keeps; trace it; ask who can see the dataset."""
    stage.scene(
        "按用途脱敏、过滤、加水印的视图", "a view made for one recipient: masked, filtered, marked, counted"
    )
    pulled = next(one for one in transfers if one.consumer == BANK.slug)
    delivered, dataset = _Delivered.of(pulled), plan.enterprise
    kept = alliance.node_home(dataset.provider) / "artifacts"
    digest = delivered.manifest.distribution.sha256.removeprefix("sha256:")
    whole, seen = pl.read_parquet(kept / f"{digest}.parquet"), pl.read_parquet(delivered.path)
    summary.checks["view_keeps_duties"] = _keeps_duties(whole, seen)
    stage.line(
        f"{CALLED[dataset.provider]} {len(whole)} 行 {whole.width} 列,银行得 {len(seen)} 行 {seen.width} 列:"
        "只含有违法记录的企业,区划到市,罚款取整到十万元",
        "only those with a violation, the city for the county, fines to the nearest 100,000",
        mark=_mark(summary.checks["view_keeps_duties"]),
    )
    provider, consumer = delivered.receipts
    duties = [one.kind for one in delivered.grant.obligations]
    summary.checks["receipts_show_duties"] = [
        one.kind for one in provider.discharged
    ] == duties and consumer.discharged == provider.discharged
    spent = next((one.used for one in provider.discharged if one.kind == "quota"), None)
    stage.line(
        f"双方回执逐项载明 {len(duties)} 项义务的履行,今日配额已用 {spent} 行",
        f"both receipts tell how each was met: {', '.join(dict.fromkeys(duties))}",
        mark=_mark(summary.checks["receipts_show_duties"]),
    )
    _trace_and_review(stage, alliance, delivered, transfers, summary)


def _keeps_duties(whole: pl.DataFrame, seen: pl.DataFrame) -> bool:
    """Hold the bank's rows against the artifact, in other words than the provider's node has for it."""
    broke = {row["credit_code"]: row for row in whole.iter_rows(named=True) if row["violations_count"] > 0}
    rows = list(seen.iter_rows(named=True))
    return (
        0 < len(rows) < len(whole)
        and sorted(row["credit_code"] for row in rows) == sorted(broke)
        and all(_is_masked(row, broke[row["credit_code"]]) for row in rows)
        and not _PRIVATE & set(seen.columns)
    )


def _is_masked(row: Row, true: Row) -> bool:
    fine, true_fine = row["penalty_amount_cny"], true["penalty_amount_cny"]
    return bool(
        row["admin_code"] == true["admin_code"][:4] + "00"
        and fine % _FINES_TO == 0
        and abs(fine - true_fine) <= _FINES_TO / 2
    )


def _trace_and_review(
    stage: Stage, alliance: Alliance, delivered: _Delivered, transfers: list[Pulled], summary: Summary
) -> None:
    """A copy of the bank's file turns up under another name; an auditor asks who could have had it."""
    dataset, provider = delivered.grant.dataset, alliance.node_home(_slug(alliance, delivered.grant.provider))
    leaked = alliance.home / "turned-up.parquet"
    shutil.copyfile(delivered.path, leaked)
    traced, review = run_together(
        ["trace", leaked, "--home", provider, "--as", "operator", "--json"],
        ["policy", "who-can", dataset, "--home", alliance.exchange_home, "--json"],
    )
    found = _json(traced.stdout)
    named = [one["participant"] for one in found.get("recipients", [])]
    token = found.get("token")
    vouched = [one.token for one in delivered.receipts[0].discharged if one.kind == "watermark"]
    summary.checks["leak_traced"] = (
        found.get("by") == "mark"
        and [digest_of(str(token))] == vouched
        and named == [alliance.ids[BANK.slug]]
    )
    stage.line(
        f"trace:无名副本中的水印 {str(token)[:12]}… 指向{'、'.join(map(_called(alliance), named)) or '无人'}",
        "a copy under another name says whom it was given to",
        mark=_mark(summary.checks["leak_traced"]),
    )
    can = [row for row in _json(review.stdout).get("can_receive", []) if row["outcome"] == "permit"]
    able = {(row["participant"], row["purpose"]) for row in can}
    had = {
        (one.grant.consumer, one.grant.purpose)
        for one in map(_Delivered.of, transfers)
        if one.grant.dataset == dataset
    }
    summary.checks["who_can_agrees"] = bool(had) and able == had
    stage.line(
        f"who-can:现在能接收 {dataset} 的是{'、'.join(_called(alliance)(one) for one, _ in sorted(able))},"
        "与实际收到者一致",
        "whom the policy would let receive it is whom it did",
        mark=_mark(summary.checks["who_can_agrees"]),
    )


def change_by_two(stage: Stage, alliance: Alliance, plan: Plan, summary: Summary) -> None:
    """Explain a refusal, propose a policy that would permit it, see the past replayed, approve it by two."""
    stage.scene(
        "策略变更:两人、回放、不中断",
        "why it was refused; another policy, by two people, after the past was asked again",
    )
    exchange = ("--home", alliance.exchange_home, "--json")
    folder, refused = _write_candidate(alliance.home / "policy"), _refused_for_sector(alliance)
    why = "无条件共享的数据也向银行开放 what is open to everybody is open to banks"
    explained, proposed = run_together(
        ["policy", "explain", refused[0], *exchange],
        ["policy", "propose", folder, "--why", why, "--widens", *exchange],
    )
    _tell_why(stage, refused[0], _json(explained.stdout), summary)
    if proposed.returncode:
        raise StepFailed(f"no policy was proposed: {proposed.stderr.strip()}")
    candidate = _json(proposed.stdout)["open"][0]["policy"]
    alone, replayed = run_together(
        ["policy", "approve", candidate, "--widens", "--as", "administrator", *exchange],
        ["policy", "replay", "--bundle", folder, *exchange],
    )
    summary.checks["second_person_needed"] = (
        alone.returncode == 1 and _json(alone.stderr).get("code") == "second-person-needed"
    )
    stage.line(
        "管理员提议新策略;同一人批准:被拒绝",
        "an administrator proposes; the same person cannot approve",
        mark="✗" if summary.checks["second_person_needed"] else "!",
    )
    report = _json(replayed.stdout)
    flipped = {one["decision"] for one in report.get("samples", [])}
    summary.checks["replay_shows_flips"] = replayed.returncode == 1 and flipped == set(refused)
    stage.line(
        f"回放最近 {report.get('asked')} 次决定:{report.get('permitted')} 次拒绝将变为放行,其余不变",
        "the past, asked again under the new policy: these refusals would be permits",
        mark="!" if summary.checks["replay_shows_flips"] else "✗",
    )
    _put_in_force(stage, alliance, candidate, plan.beyond_the_bank()[0], summary)


def _refused_for_sector(alliance: Alliance) -> list[str]:
    """Name the bank's refusals whose one reason the new policy takes away, newest first."""
    query = {"participant": alliance.ids[BANK.slug], "outcome": "deny"}
    kept = alliance.operator("auditor").get("/operator/policy/decisions", query)["decisions"]
    found = [str(row["decision"]) for row in kept if [one["code"] for one in row["reasons"]] == [_REFUSED_AS]]
    if not found:
        raise StepFailed("no refusal of the bank is kept for its sector")
    return found


def _tell_why(stage: Stage, name: str, explained: Row, summary: Summary) -> None:
    causes = explained.get("explanation", {}).get("causes", [])
    summary.checks["refusal_explained"] = (
        explained.get("agrees") is True
        and [cause["code"] for cause in causes] == [_REFUSED_AS]
        and all(cause["places"] and cause["facts"] for cause in causes)
    )
    for cause in causes:
        place = cause["places"][0]
        facts = ", ".join(f"{fact} = {value}" for fact, value in sorted(cause["facts"].items())[:2])
        stage.line(
            f"explain {name}:{cause['zh']}",
            f"{place['file']}:{place['line']}, {facts}",
            mark=_mark(summary.checks["refusal_explained"]),
        )


def _write_candidate(folder: Path) -> Path:
    """Copy the policy with its tests and change one rule; raise StepFailed where the rule is not there."""
    shutil.copytree(shipped_folder(), folder)
    file = folder / _RULE
    text = file.read_text(encoding="utf-8")
    if text.count(_BEFORE) != 1:
        raise StepFailed(f"{_RULE} has no such rule to change")
    file.write_text(text.replace(_BEFORE, _AFTER), encoding="utf-8")
    seal(folder)
    return folder


def _put_in_force(stage: Stage, alliance: Alliance, candidate: str, dataset: str, summary: Summary) -> None:
    """Let the second person approve while questions come in without a pause, then let the bank apply."""
    over = Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        asking = pool.submit(lambda: list(_ask_until(over, alliance, dataset)))
        try:
            approved = run(
                *("policy", "approve", candidate, "--widens", "--as", "operator"),
                *("--home", alliance.exchange_home, "--json"),
            )
        finally:
            over.set()
        answers = asking.result()
    switched = [policy == candidate for policy, _ in answers]
    summary.checks["policy_changed_live"] = (
        approved.returncode == 0
        and switched == sorted(switched)
        and set(switched) == {False, True}
        and all(
            outcome == ("permit" if new else "deny")
            for new, (_, outcome) in zip(switched, answers, strict=True)
        )
    )
    stage.line(
        f"运维人员批准,新策略 {candidate[7:15]} 生效;其间 {len(answers)} 个问题无一遗漏",
        "the second person approves; every question meanwhile was answered, by one policy or the other",
        mark=_mark(summary.checks["policy_changed_live"]),
    )
    taken = apply_for(alliance, BANK.slug, dataset, PROBED_FOR)
    summary.checks["new_policy_decides"] = bool(taken["application"])
    stage.line(f"银行再次申请 {dataset}:受理", "the very application that was refused is taken now")


def _ask_until(over: Event, alliance: Alliance, dataset: str) -> Iterator[tuple[str, str]]:
    """Ask the exchange again and again, as an auditor, whether the bank may apply; once more at the end."""
    auditor = alliance.operator("auditor")
    question = {
        "subject": {"type": "participant", "id": alliance.ids[BANK.slug]},
        "action": {"name": "apply"},
        "resource": {"type": "dataset", "id": dataset},
        "context": {"purpose": PROBED_FOR},
    }
    last = False
    while not last:
        last = over.is_set()
        told = auditor.post("/access/v1/evaluation", question)["context"]
        yield told["policy"], told["outcome"]


def open_in_an_emergency(stage: Stage, alliance: Alliance, plan: Plan, summary: Summary) -> None:
    """Let a neighbour ask for contacts before, during and after a declared emergency."""
    stage.scene(
        "紧急状态:限时放行,事后审查", "an emergency opens data for its time, and a review is due afterwards"
    )
    dataset, administrator = plan.enterprise, alliance.operator("administrator")
    application = apply_for(alliance, NEIGHBOUR, dataset.dataset, EMERGENCY_PURPOSE)
    approve(stage, alliance, NEIGHBOUR, dataset, application)
    subscribe(alliance, NEIGHBOUR, dataset.dataset, application)
    before = _refusal(alliance, dataset.dataset)
    declared = administrator.post(
        "/operator/emergencies",
        {
            "title": {"zh": "赤水河突发水污染", "en": "Pollution of the Chishui"},
            "why": "须立即联系上游企业 the enterprises upstream must be called at once",
            "scope": {"territories": ["510000"], "datasets": [dataset.dataset]},
            "hours": 24,
        },
    )
    stage.line(f"平时请求:被拒绝({'、'.join(sorted(before))})", "refused in ordinary times", mark="✗")
    got = pull(alliance, NEIGHBOUR, dataset.dataset)["files"]
    rows = sum(one["rows"] for one in got)
    stage.line(
        f"管理员宣布紧急状态 {declared['emergency']},{CALLED[NEIGHBOUR]}收到 {rows} 行联系方式",
        "declared, told to every node, checked by the provider against the log; the data goes",
        mark=_mark(bool(got)),
    )
    path = f"/operator/emergencies/{declared['emergency']}"
    administrator.post(f"{path}/end", {"why": "污染团已过境 the plume has passed"})
    later = synthetic.write_enterprises(
        alliance.home / "input" / "enterprises-later.ndjson", synthetic.SEED + 1
    )
    summary.add_sources([publish_release(stage, alliance, dataset, later)])
    after = _refusal(alliance, dataset.dataset)
    shown = alliance.operator("auditor").get(path)
    summary.checks["emergency_opened_and_closed"] = (
        before == after == {"no-emergency", "level-not-allowed"} and len(got) == 1
    )
    stage.line("提前结束后请求新批次:被拒绝", "over: the next release is refused as before", mark="✗")
    summary.checks["emergency_review_due"] = (
        (shown["state"], shown["review"]) == ("ended", None)
        and shown["review_due_at"] > shown["over_at"]
        and [use["grant"] for use in shown["grants"]] == [one["grant"] for one in got]
    )
    stage.line(
        f"其间授权 {len(shown['grants'])} 次,审计人员须在 {shown['review_due_at'][:10]} 前审查",
        "what was granted under it is on one list; a review is due",
        mark="!" if summary.checks["emergency_review_due"] else "✗",
    )


def _refusal(alliance: Alliance, dataset: str) -> set[str]:
    """Pull what is new; give the codes of the refusal, none where it went through."""
    try:
        pull(alliance, NEIGHBOUR, dataset)
    except Refused as refusal:
        reasons = refusal.facts.get("reasons")
        return {str(one).partition(":")[0] for one in reasons} if isinstance(reasons, list) else set()
    return set()


def _json(printed: str) -> Row:
    """Read what a command printed; nothing where it printed nothing."""
    read: Row = json.loads(printed) if printed.strip() else {}
    return read


def _slug(alliance: Alliance, participant: str) -> str:
    return next(slug for slug, known in alliance.ids.items() if known == participant)


def _called(alliance: Alliance) -> Callable[[str], str]:
    return lambda participant: CALLED[_slug(alliance, participant)]


def _mark(holds: bool) -> str:
    return "✓" if holds else "✗"
