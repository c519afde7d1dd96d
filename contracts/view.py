"""What obligations leave of a release: the columns of the view, their types, and the contract of its rows.

Pure. The provider makes and writes a view by this shape and the consumer judges what arrives by it, so both
mean the same by "hidden". An obligation that cannot be met on the contract is refused as a whole: a view is
never made halfway.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.canonical import MAX_INTEGER
from contracts.errors import Refused
from contracts.filtering import filter_faults
from contracts.masking import HASH_PATTERN, LATITUDES, LONGITUDES
from contracts.messages import (
    AggregateOnly,
    Expiry,
    Mask,
    MaskGeneralise,
    MaskGeoGrid,
    MaskHash,
    MaskHow,
    MaskNull,
    MaskRound,
    MaskTruncate,
    Measure,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowCondition,
    RowFilter,
    Watermark,
    filtered_fields,
    redacted_fields,
)
from contracts.schema import Contract, RecordField

WATERMARK_MARK = "headwaters.watermark"
PURPOSE_MARK = "headwaters.purpose"
EXPIRY_MARK = "headwaters.delete-after-days"
MARKS = frozenset({WATERMARK_MARK, PURPOSE_MARK, EXPIRY_MARK})
"""What may stand in the metadata of a view's file, beside the types of its columns."""

Schema = Mapping[str, Any]  # Any: a JSON Schema
_NUMBERS = frozenset({"number", "integer"})
_APPLIED = frozenset({"if", "then", "else", "allOf", "anyOf", "oneOf", "not", "dependentRequired"})


class ObligationUnfit(Refused):
    """An obligation cannot be met on data under this contract."""

    code = "obligation-unfit"
    title_zh = "义务无法在该契约的数据上履行"
    next_zh = "请提供方按 faults 修改登记中的义务,或请交换中心核对策略。"
    next_en = "Have the provider mend the duty that faults names, or the exchange check its policy."


@dataclass(frozen=True, slots=True)
class ViewShape:
    """A release's contract, what is hidden of it, and ``contract``, which the rows of the view keep."""

    source: Contract
    contract: Contract
    hidden: frozenset[str]
    masks: Mapping[str, MaskHow]
    rows: RowCondition | None
    aggregate: AggregateOnly | None
    whole: bool
    """Whether the view is the artifact itself, byte for byte."""

    def columns(self, present: Iterable[str]) -> list[str]:
        """Give the columns of the view in order, where the release has the ``present`` ones."""
        if self.aggregate is not None:
            return self.contract.columns()
        return self.contract.columns(name for name in present if self._is_visible(name))

    def mask_of(self, column: str) -> MaskHow | None:
        """Find the mask of a column."""
        return _mask_of(self.source, self.masks, column)

    def degrees(self, column: str) -> int:
        """Give the greatest size of a coordinate column: 90 where the contract says so, else 180."""
        schema = self.source.field_schema(column) or {}
        bounds = (schema.get("minimum"), schema.get("maximum"))
        within = all(isinstance(bound, int) and abs(bound) <= LATITUDES for bound in bounds)
        return LATITUDES if within else LONGITUDES

    @property
    def unseen(self) -> frozenset[str]:
        """Name the fields whose true values the view does not show."""
        return self.hidden | frozenset(self.masks)

    @property
    def filtered(self) -> frozenset[str]:
        """Name the fields that rows are filtered on, hidden ones too."""
        return frozenset() if self.rows is None else filtered_fields(self.rows)

    @property
    def figured(self) -> frozenset[str]:
        """Name the fields that figures are made of and grouped by."""
        return frozenset() if self.aggregate is None else self.aggregate.figured

    def _is_visible(self, column: str) -> bool:
        fields = self.source.fields_of(column)
        # A column that the contract does not describe cannot be judged, so it does not leave.
        return bool(fields) and not any(field.name in self.hidden for field in fields)


def shape_view(contract: Contract, obligations: Sequence[Obligation]) -> ViewShape:
    """Derive the shape of a view; raise ObligationUnfit with every fault."""
    hidden = frozenset(redacted_fields(obligations))
    masks = {item.field: item.how for item in obligations if isinstance(item, Mask)}
    filters = [item.rows for item in obligations if isinstance(item, RowFilter)]
    aggregates = [item for item in obligations if isinstance(item, AggregateOnly)]
    faults = [
        *_repeated(obligations),
        *_hiding_faults(contract, hidden, masks),
        *(fault for rows in filters for fault in filter_faults(rows, contract)),
        *(fault for item in aggregates for fault in _aggregate_faults(contract, item, {*hidden, *masks})),
    ]
    if faults:
        raise ObligationUnfit(f"{contract.id}: {faults[0]}", faults=faults[:20])
    aggregate = aggregates[0] if aggregates else None
    record, fields = (
        _aggregate_record(contract, aggregate) if aggregate else _view_record(contract, hidden, masks)
    )
    return ViewShape(
        source=contract,
        contract=_with_record(contract, record, fields),
        hidden=hidden,
        masks=masks,
        rows=filters[0] if filters else None,
        aggregate=aggregate,
        whole=not any(map(is_written_anew, obligations)),
    )


def is_written_anew(obligation: Obligation) -> bool:
    """Say whether an obligation changes the bytes, so that the artifact itself cannot leave."""
    match obligation:
        case Redact() | Mask() | RowFilter() | AggregateOnly() | Watermark():
            return True
        case Quota() | Rate() | PurposeBinding() | Expiry():
            return False


def _with_record(contract: Contract, record: dict[str, Any], fields: list[RecordField]) -> Contract:
    # Not a copy, which would keep what the other contract worked out about its patterns.
    parts = {name: getattr(contract, name) for name in Contract.model_fields}
    return Contract.model_construct(**(parts | {"record": record, "fields": fields}))


# --- what does not fit -----------------------------------------------------------------------------


def _repeated(obligations: Sequence[Obligation]) -> Iterator[str]:
    names = [name for name in map(_single, obligations) if name is not None]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two obligations of the kind {name}"


def _single(item: Obligation) -> str | None:
    """Name what there can be one of; None for what may come more than once."""
    match item:
        case Redact() | Quota() | Rate():
            return None
        case Mask():
            return f"mask of {item.field!r}"
        case RowFilter() | AggregateOnly() | Watermark() | PurposeBinding() | Expiry():
            return item.kind


def _hiding_faults(
    contract: Contract, hidden: Collection[str], masks: Mapping[str, MaskHow]
) -> Iterator[str]:
    known = {field.name for field in contract.fields}
    for name in sorted({*hidden, *masks} - known):
        yield f"no field {name!r}"
    if known <= set(hidden):
        yield "nothing is left of the record; a view needs a field"
    for name, how in sorted(masks.items()):
        if name in hidden:
            yield f"{name!r} is both redacted and masked"
        elif name in known and not _mask_fits(how, _kind(_declared(contract, name))):
            yield f"a mask by {how.method} does not fit {name!r}"


def _mask_fits(how: MaskHow, kind: str) -> bool:
    match how:
        case MaskNull():
            return True
        case MaskHash():
            return kind in {"string", "number", "integer"}
        case MaskRound():
            return kind == "number" or (kind == "integer" and how.digits < 0)
        case MaskTruncate() | MaskGeneralise():
            return kind == "string"
        case MaskGeoGrid():
            return kind in {"number", "object"}


def _aggregate_faults(contract: Contract, item: AggregateOnly, unseen: Collection[str]) -> Iterator[str]:
    named: Mapping[str, Schema] = contract.record.get("properties", {})  # type: ignore[assignment]  # linted
    for name in [*item.by, *(measure.field for measure in item.measures)]:
        if name not in named:
            yield f"no single field {name!r} to make figures of"
        elif name in unseen:
            yield f"figures of {name!r}, which is hidden"
    for name in item.by:
        if name in named and _kind(named[name]) in {"object", "array"}:
            yield f"{name!r} holds no single values to group by"
    for measure in item.measures:
        countable = measure.function == "count" or measure.field not in named
        if not countable and _kind(named[measure.field]) not in _NUMBERS:
            yield f"{measure.field!r} is no number, so it has no {measure.function}"
    columns = [*item.by, *map(measure_column, item.measures)]
    if len(set(columns)) != len(columns):
        yield "two columns of the figures would have one name"
    if any(len(name) > 200 for name in columns):
        yield "a column of the figures would have too long a name"


# --- the contract of a view's rows -----------------------------------------------------------------


def measure_column(measure: Measure) -> str:
    """Name the column of a measure."""
    return f"{measure.field}_{measure.function}"


def _view_record(
    contract: Contract, hidden: Collection[str], masks: Mapping[str, MaskHow]
) -> tuple[dict[str, Any], list[RecordField]]:
    """Give the record schema of a view: closed, without what is hidden, and as masks leave the rest.

    A condition that speaks of a hidden or masked field cannot be judged on the view and is left out; every
    other rule stays.
    """
    record: dict[str, Any] = contract.record
    touched = {*hidden, *masks}

    def speaks(value: object) -> bool:
        return _names(contract, value, touched)

    def gone(name: str) -> bool:
        return name in hidden or any(field.name in hidden for field in contract.fields_of(name))

    view = {
        keyword: value
        for keyword, value in record.items()
        if keyword not in {"properties", "patternProperties", "required", "minProperties", "allOf"}
        and not (keyword in _APPLIED and speaks(value))
    }
    if "allOf" in record:
        view["allOf"] = [part for part in record["allOf"] if not speaks(part)] or [True]
    for keyword in ("properties", "patternProperties"):
        view[keyword] = {
            name: part if (how := _mask_of(contract, masks, name)) is None else _masked_schema(how, part)
            for name, part in record.get(keyword, {}).items()
            if not gone(name)
        }
    view["required"] = [name for name in record.get("required", []) if not gone(name)]
    return view, [field for field in contract.fields if not gone(field.name)]


def _mask_of(contract: Contract, masks: Mapping[str, MaskHow], column: str) -> MaskHow | None:
    found = [masks[field.name] for field in contract.fields_of(column) if field.name in masks]
    if any(how != found[0] for how in found):
        return MaskNull()  # two patterns admit the column, and their masks differ
    return found[0] if found else None


def _masked_schema(how: MaskHow, schema: Schema) -> dict[str, Any]:
    """Give the schema of a masked field; that a value is no finer than the mask is judged beside it."""
    kind, kinds = _kind(schema), schema["type"]
    match how:
        case MaskNull():
            return {"type": [kind, "null"], "const": None}
        case MaskHash():
            return {"type": _types(kinds, "string"), "pattern": HASH_PATTERN}
        case MaskRound():
            return {"type": kinds} | _rounded_bounds(schema, how.digits)
        case MaskTruncate():
            return {"type": kinds, "maxLength": how.characters}
        case MaskGeneralise():
            return {"type": [kind, "null"]}
        case MaskGeoGrid():
            # A place comes without what else the object held, so its own rules fall away.
            return {"type": [kind, "null"]}


def _rounded_bounds(schema: Schema, digits: int) -> dict[str, Any]:
    bounds = {}
    for keyword, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        found = [schema[name] for name in (keyword, strict) if name in schema]
        if found:
            bounds[keyword] = round(max(found) if keyword == "minimum" else min(found), digits)
    return bounds


def _aggregate_record(contract: Contract, item: AggregateOnly) -> tuple[dict[str, Any], list[RecordField]]:
    named: Mapping[str, Schema] = contract.record["properties"]  # type: ignore[assignment]  # linted: a map
    notes = {field.name: field for field in contract.fields}
    properties: dict[str, Any] = {name: named[name] for name in item.by}
    fields = [notes[name] for name in item.by]
    for measure in item.measures:
        name = measure_column(measure)
        if measure.function == "count":
            properties[name] = {
                "type": ["integer", "null"],
                "minimum": item.min_group,
                "maximum": MAX_INTEGER,
            }
        else:
            properties[name] = {"type": ["number", "null"]}
        unit = None if measure.function == "count" else notes[measure.field].unit
        fields.append(notes[measure.field].model_copy(update={"name": name, "unit": unit}))
    record = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return record, fields


def _declared(contract: Contract, name: str) -> Schema:
    for keyword in ("properties", "patternProperties"):
        part = contract.record.get(keyword)
        if isinstance(part, dict) and name in part:
            found: Schema = part[name]  # type: ignore[assignment]  # linted: a schema object
            return found
    raise ObligationUnfit(f"{contract.id} has no field {name!r}")


def _kind(schema: Schema) -> str:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return next(str(kind) for kind in kinds if kind != "null")


def _types(kinds: object, kind: str) -> list[str]:
    return [kind, "null"] if isinstance(kinds, list) and "null" in kinds else [kind]


def _names(contract: Contract, value: object, touched: set[str]) -> bool:
    """Say whether a rule speaks of a touched field, by its own name or by a column that a pattern admits."""

    def is_touched(name: str) -> bool:
        return name in touched or any(field.name in touched for field in contract.fields_of(name))

    if isinstance(value, Mapping):
        return any(is_touched(key) or _names(contract, item, touched) for key, item in value.items())
    if isinstance(value, list):
        return any(
            is_touched(item) if isinstance(item, str) else _names(contract, item, touched) for item in value
        )
    return False
