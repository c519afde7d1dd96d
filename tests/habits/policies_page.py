"""The page of questions, answers, reasons and obligations: ``python -m tests.habits.policies_page``.

``docs/reference/policies.md`` is this text and nothing else. Forms come from the schemas and the message
types, sentences from ``policies.reasons``; only what a fact means is written here, and a fact without words
stops the page.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from contracts.messages import (
    AggregateOnly,
    Condition,
    Duty,
    Expiry,
    Mask,
    MaskGeneralise,
    MaskGeoGrid,
    MaskHash,
    MaskNull,
    MaskRound,
    MaskTruncate,
    ObligationKind,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
    Wire,
)
from policies.reasons import SENTENCES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "policies.md"
SCHEMAS = ROOT / "policies" / "schemas"
Schema = Mapping[str, Any]  # Any: a JSON Schema

_HEAD = """\
# 策略的问题、答复、理由与义务 Policies: question, answer, reasons, obligations

What is asked of a policy engine, what it may answer, and what each word means. When each denial stands,
and how duties are merged: [policy rules](policy-rules.md). What a policy may be written in, and what an
author will miss: [the Rego that a policy may use](policy-profile.md). How it all works together:
[policies](../explanation/policies.md). This page is written from the code:
`.venv/bin/python -m tests.habits.policies_page`.
"""

_QUESTION = """
## The question 问题

`policies/schemas/input.schema.json`, checked before any engine is asked. Nothing else reaches a policy,
no data document is loaded, and the same question under the same bundle always has the same answer.
Moments are milliseconds since 1970 UTC.
"""

_ANSWER = """
## The answer 答复

The value of `data.headwaters.main.answer`, checked against `policies/schemas/decision.schema.json`. A
permit is `allow: true` with grounds, without denials, with every obligation in its order; anything else
refuses. An answer that does not fit, or contradicts itself, is `indeterminate`, which refuses as well.
"""

_REASONS = """
## Reasons 理由代码

A policy answers with these codes and arguments only; the sentences are made here. Faults of the decision
point (`pdp:…`) refuse, are logged, and raise the event `policy.undecided`.
"""

_OBLIGATIONS = """
## Obligations 义务

A closed list. Whoever reads an obligation that is not on it, or cannot meet one, lets no byte go. The
provider's receipt has one line of evidence for each obligation, in the same order, and the consumer's
receipt says the same.
"""

_MASKS = """
## Masks 脱敏方法

The `how` of a mask. A missing value stays missing.
"""

_DUTIES = """
## What a provider writes 提供方登记

`headwaters dataset declare … --terms FILE` takes a JSON object of `conditions`, `duties` and `emergency`
(true: conditions and the rules of classes are waived for government in a declared emergency). An empty list
sets no limit.
"""

# What each fact of a question says, and who vouches for it.
_FACTS: Mapping[str, tuple[str, str]] = {
    "v": ("version of this document", "exchange"),
    "action": ("what is asked for", "request"),
    "now_ms": ("the moment of asking", "exchange"),
    "local.weekday": ("weekday in UTC+8, 1 is Monday", "exchange"),
    "local.hour": ("hour in UTC+8", "exchange"),
    "address": ("IP address of the request; null where nobody saw one", "exchange"),
    "participant.id": ("who asks 使用方", "request's signature"),
    "participant.status": ("its standing in the alliance", "directory"),
    "participant.level": ("administrative level; `none` for a bank", "directory"),
    "participant.territory": ("stem of its administrative code", "directory"),
    "participant.sector": ("`government`, `finance`, …", "directory"),
    "dataset.dataset": ("the dataset 数据集", "provider's record"),
    "dataset.provider": ("its provider 提供方", "provider's record"),
    "dataset.provider_status": ("the provider's standing", "directory"),
    "dataset.provider_territory": ("stem of the provider's code", "directory"),
    "dataset.sharing": ("sharing class 共享类型", "provider's record"),
    "dataset.sharing_basis": ("its basis 依据", "provider's record"),
    "dataset.classification": ("class of the dataset, 1 public … 4 core 分级", "provider's record"),
    "dataset.purposes": ("purposes that are offered; none: any", "provider's record"),
    "dataset.purpose_fields[].purpose": ("a purpose that sees only some fields", "provider's record"),
    "dataset.purpose_fields[].fields": ("the fields that it sees", "provider's record"),
    "dataset.fields[].name": ("a field of the contract, all of them", "contract"),
    "dataset.fields[].classification": ("the field's class", "contract"),
    "dataset.synthetic": ("whether the data are made up", "provider's record"),
    "dataset.conditions": ("who, from where, when; see below", "provider's record"),
    "dataset.duties": ("what a use is held to; see below", "provider's record"),
    "dataset.emergency": ("whether an emergency waives conditions", "provider's record"),
    "purpose": ("what the data are for 用途", "application or agreement"),
    "application.until_ms": ("until when use is applied for", "application"),
    "agreement.agreement": ("the agreement 协议", "agreement, signed by both"),
    "agreement.state": ("only `active` carries a transfer", "exchange"),
    "agreement.consumer": ("its consumer", "agreement, signed by both"),
    "agreement.provider": ("its provider", "agreement, signed by both"),
    "agreement.dataset": ("its dataset", "agreement, signed by both"),
    "agreement.purpose": ("its purpose", "agreement, signed by both"),
    "agreement.not_before_ms": ("from when it holds", "agreement, signed by both"),
    "agreement.expires_ms": ("until when it holds", "agreement, signed by both"),
    "agreement.record_digest_matches": ("whether the record is still the one agreed on", "exchange"),
    "agreement.onward_sharing": ("whether data may be passed on; always false", "agreement, signed by both"),
    "subscription.state": ("where the subscription stands", "exchange"),
    "subscription.owed_receipts": ("receipts that the consumer owes", "exchange"),
    "subscription.open_grants": ("grants that are not done", "exchange"),
    "emergency.emergency": ("the declared emergency that covers the dataset 紧急状态", "exchange"),
    "emergency.until_ms": ("when it ends by itself", "exchange"),
}
_ANSWERS: Mapping[str, str] = {
    "allow": "literally true for a permit",
    "denials": "all the reasons against it; none on a permit",
    "grounds": "what a permit stands on; at least one",
    "obligations": "what must be done before bytes leave; see below",
    "valid_until_ms": "when to ask again: five seconds, or the first end of what it stands on",
}
# Parts that are told elsewhere, or hold themselves.
_NAMED = {
    "condition": "conditions",
    "duty": "duties",
    "FieldFilter": "a row filter (UCAST)",
    "CompoundFilter": "a row filter (UCAST)",
}
_GROUNDS = ("may-apply", "agreement-in-force", "emergency-declared")

# Kind, its Chinese name, and the evidence of it in a receipt.
_KINDS: tuple[tuple[type[Wire], str, str], ...] = (
    (Redact, "遮蔽", "`columns`"),
    (Mask, "脱敏", "`columns`"),
    (RowFilter, "行过滤", "`columns`, `rows_in`, `rows_out`"),
    (AggregateOnly, "仅汇总", "`columns`, `rows_in`, `rows_out`"),
    (Quota, "配额", "`used`, this delivery included"),
    (Rate, "频率", "`used`, this fetch included"),
    (Watermark, "水印", "`token`: the digest of the mark"),
    (PurposeBinding, "用途限定", "none: the purpose stands in the agreement and in the file"),
    (Expiry, "到期删除", "none: the consumer's `received list` counts the days"),
)
_METHODS: tuple[tuple[type[Wire], str], ...] = (
    (MaskNull, "任何字段 any field"),
    (MaskHash, "文本、数 text, numbers"),
    (MaskRound, "数 numbers; an integer with digits below 0"),
    (MaskTruncate, "文本 text"),
    (MaskGeneralise, "代码、时间 codes, times"),
    (MaskGeoGrid, "经纬度、GeoJSON coordinates"),
)


def page() -> str:
    """Write the page."""
    parts = (
        _HEAD,
        _QUESTION,
        _table(("fact", "form", "what it says", "who vouches"), _question()),
        _ANSWER,
        _table(("part", "what it says"), ((f"`{name}`", words) for name, words in _answer())),
        _REASONS,
        _table(("code", "kind", "中文", "English"), _reasons()),
        _OBLIGATIONS,
        _table(("kind", "中文", "what it demands", "parameters", "evidence"), _obligations()),
        _MASKS,
        _table(("method", "fits", "what it does", "parameters"), _methods()),
        _DUTIES,
        _table(("part", "form"), [*_declared("conditions[]", Condition), *_declared("duties[]", Duty)]),
    )
    return "".join(parts)


def _question() -> Iterator[tuple[str, ...]]:
    schema = json.loads((SCHEMAS / "input.schema.json").read_text())
    forms = dict(_leaves(schema, schema["$defs"]))
    if forms.keys() != _FACTS.keys():
        raise KeyError(f"facts without words, or words without a fact: {forms.keys() ^ _FACTS.keys()}")
    for path, (words, source) in _FACTS.items():
        yield f"`{path}`", forms[path], words, source


def _answer() -> Iterator[tuple[str, str]]:
    named = json.loads((SCHEMAS / "decision.schema.json").read_text())["required"]
    if set(named) != _ANSWERS.keys():
        raise KeyError("the answer has other parts than this page")
    return iter(_ANSWERS.items())


def _reasons() -> Iterator[tuple[str, ...]]:
    for code, (zh, en) in SENTENCES.items():
        kind = (
            "fault 故障" if code.startswith("pdp:") else "ground 依据" if code in _GROUNDS else "denial 拒绝"
        )
        yield f"`{code}`", kind, zh, en


def _obligations() -> Iterator[tuple[str, ...]]:
    names = [model.model_fields["kind"].default for model, _, _ in _KINDS]
    if tuple(names) != get_args(ObligationKind):
        raise KeyError("the obligations are others, or in another order, than this page has them")
    for name, (model, zh, evidence) in zip(names, _KINDS, strict=True):
        yield f"`{name}`", zh, _first_line(model), _parameters(model, "kind"), evidence


def _methods() -> Iterator[tuple[str, ...]]:
    for model, fits in _METHODS:
        yield (
            f"`{model.model_fields['method'].default}`",
            fits,
            _first_line(model),
            _parameters(model, "method"),
        )


def _declared(prefix: str, model: type[Wire]) -> Iterator[tuple[str, ...]]:
    schema = model.model_json_schema()
    for name, part in schema["properties"].items():
        form = (
            "an obligation, without its recipient" if name == "obligation" else _form(part, schema["$defs"])
        )
        yield f"`{prefix}.{name}`", form


def _parameters(model: type[Wire], tag: str) -> str:
    schema = model.model_json_schema()
    told = [
        f"`{name}`: {'a method, see below' if name == 'how' else _form(part, schema.get('$defs', {}))}"
        for name, part in schema["properties"].items()
        if name not in {tag, "recipient"}
    ]
    if "recipient" in schema["properties"]:
        told.append("`recipient`: the consumer, named by the decision")
    return "; ".join(told) or "none"


def _leaves(schema: Schema, defs: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Give the facts that hold no others, by path; what a record declares is told further down."""
    for name, part in schema["properties"].items():
        here = f"{path}{name}"
        items = part.get("items", {})
        if part.get("type") == "object":
            yield from _leaves(part, defs, f"{here}.")
        elif items.get("type") == "object":
            yield from _leaves(items, defs, f"{here}[].")
        else:
            yield here, _form(part, defs)


def _form(part: Schema, defs: Schema) -> str:  # noqa: PLR0911  # one answer for each form
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return _NAMED[name] if name in _NAMED else _form(defs[name], defs)
    if "const" in part:
        return f"`{json.dumps(part['const'])}`".replace('"', "")
    if "enum" in part:
        return ", ".join(f"`{one}`" for one in part["enum"])
    if choices := part.get("anyOf") or part.get("oneOf"):
        return " or ".join(dict.fromkeys(_form(one, defs) for one in choices))
    kind = part.get("type")
    if kind == "array":
        most = f", at most {part['maxItems']}" if "maxItems" in part else ""
        return f"list of {part.get('description') or _form(part['items'], defs)}{most}"
    if kind == "object":
        parts = ", ".join(f"`{name}` {_form(one, defs)}" for name, one in part["properties"].items())
        return f"{{{parts}}}"
    if kind == "integer":
        low, high = part.get("minimum"), part.get("maximum")
        return "whole number" if high is None or high > 2**50 else f"{low} … {high:,}".replace(",", " ")
    if part.get("pattern") == "^[0-9]{2,12}$":
        return "2 to 12 digits"
    return {"boolean": "true, false", "null": "null", "string": "text"}.get(str(kind), "text or null")


def _first_line(model: type[Wire]) -> str:
    text = (model.__doc__ or "").strip().splitlines()[0]
    return text.replace("``", "`")


def _table(heads: tuple[str, ...], rows: Any) -> str:  # Any: rows of cells
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
