"""What must be done to data before it leaves: the closed vocabulary of obligations, and what a provider asks.

An obligation that is not in this list is refused by whoever reads it. Values are whole numbers and text, so
that a list of obligations has one digest. Row filters are UCAST trees (conditions as data, never query text).
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, assert_never

from pydantic import AfterValidator, Field

from contracts.canonical import MAX_INTEGER
from contracts.messages.membership import AdminCode, Level
from contracts.messages.wire import DatasetId, ParticipantId, Short, Wire

MAX_FILTER_DEPTH = 8
MAX_FILTER_NODES = 64
MAX_CONDITIONS = 32
MAX_DUTIES = 100
"""What one record may ask: a decision weighs all of it, and one record must not hold up all the others."""

Scalar = str | int | bool | None


class MaskNull(Wire):
    """Empty the field."""

    method: Literal["null"] = "null"


class MaskHash(Wire):
    """Replace a value by a keyed hash that only the provider can make; another recipient sees another one."""

    method: Literal["hash"] = "hash"
    recipient: ParticipantId | None = None


class MaskRound(Wire):
    """Round a number to ``digits`` places after the point; -2 rounds to hundreds."""

    method: Literal["round"] = "round"
    digits: Annotated[int, Field(ge=-9, le=9)]


class MaskTruncate(Wire):
    """Keep the first characters of a text."""

    method: Literal["truncate"] = "truncate"
    characters: Annotated[int, Field(ge=1, le=200)]


class MaskGeneralise(Wire):
    """Keep a code or a time only down to a level; the rest becomes zeros, and what is neither becomes null.

    Codes are GB/T 2260 (province 2 digits, city 4, county 6) and always six digits afterwards, whatever their
    length; times are ISO 8601, local ones without fractions, those with a zone in UTC.
    """

    method: Literal["generalise"] = "generalise"
    to: Literal["province", "city", "county", "year", "month", "day", "hour"]


class MaskGeoGrid(Wire):
    """Move a coordinate, or every place of a GeoJSON geometry, to the centre of its grid cell.

    A cell measures ``cell_millidegrees`` thousandths of a degree in both directions; 10 are about 1.1 km, and
    less from east to west the nearer the poles. Places that fall together become one.
    """

    method: Literal["geo-grid"] = "geo-grid"
    cell_millidegrees: Annotated[int, Field(ge=1, le=10_000)]


MaskHow = Annotated[
    MaskNull | MaskHash | MaskRound | MaskTruncate | MaskGeneralise | MaskGeoGrid,
    Field(discriminator="method"),
]


class FieldFilter(Wire):
    """One condition on a field; a missing value satisfies only ``eq`` null and ``ne`` of a value."""

    type: Literal["field"] = "field"
    operator: Literal["eq", "ne", "lt", "lte", "gt", "gte", "in", "nin", "startswith"]
    field: Short
    value: Scalar | Annotated[list[str | int], Field(min_length=1, max_length=500)]


class CompoundFilter(Wire):
    """Conditions joined: ``and`` and ``or`` of one or more, ``not`` of exactly one."""

    type: Literal["compound"] = "compound"
    operator: Literal["and", "or", "not"]
    value: Annotated[list["Filter"], Field(min_length=1, max_length=MAX_FILTER_NODES)]


Filter = Annotated[FieldFilter | CompoundFilter, Field(discriminator="type")]


def _bounded(rows: FieldFilter | CompoundFilter) -> FieldFilter | CompoundFilter:
    parts = list(filter_parts(rows))
    if len(parts) > MAX_FILTER_NODES or max(depth for depth, _ in parts) > MAX_FILTER_DEPTH:
        raise ValueError(f"a filter has at most {MAX_FILTER_NODES} parts, {MAX_FILTER_DEPTH} deep")
    for _, part in parts:
        many = isinstance(part.value, list)
        if isinstance(part, CompoundFilter):
            fits = part.operator != "not" or len(part.value) == 1
        elif part.operator in {"in", "nin"}:
            fits = many
        elif part.operator == "startswith":
            fits = isinstance(part.value, str)
        elif part.operator in {"eq", "ne"}:
            fits = not many
        else:
            fits = isinstance(part.value, str | int) and not isinstance(part.value, bool)
        if not fits:
            raise ValueError(f"{part.operator} does not take such a value")
    return rows


def filter_parts(
    rows: FieldFilter | CompoundFilter, depth: int = 1
) -> Iterator[tuple[int, FieldFilter | CompoundFilter]]:
    """Walk a filter: each part with its depth, the whole first."""
    yield depth, rows
    if isinstance(rows, CompoundFilter):
        for part in rows.value:
            yield from filter_parts(part, depth + 1)


def filtered_fields(rows: FieldFilter | CompoundFilter) -> frozenset[str]:
    """Name the fields that a filter speaks of."""
    return frozenset(part.field for _, part in filter_parts(rows) if isinstance(part, FieldFilter))


RowCondition = Annotated[Filter, AfterValidator(_bounded)]


class Measure(Wire):
    """One figure of a group; the column is named ``field_function``."""

    field: Short
    function: Literal["count", "mean", "sum"]


class Redact(Wire):
    """Drop these fields before the bytes leave."""

    kind: Literal["redact"] = "redact"
    fields: Annotated[list[Short], Field(min_length=1)]


class Mask(Wire):
    """Change the values of one field before the bytes leave."""

    kind: Literal["mask"] = "mask"
    field: Short
    how: MaskHow


class RowFilter(Wire):
    """Let only rows leave for which the condition holds."""

    kind: Literal["row-filter"] = "row-filter"
    rows: RowCondition


class AggregateOnly(Wire):
    """Let no record leave, only figures of groups with at least ``min_group`` rows."""

    kind: Literal["aggregate-only"] = "aggregate-only"
    by: Annotated[list[Short], Field(min_length=1, max_length=8)]
    measures: Annotated[list[Measure], Field(min_length=1, max_length=64)]
    min_group: Annotated[int, Field(ge=2, le=1_000_000)]

    @property
    def figured(self) -> frozenset[str]:
        """Name the fields that figures are made of and grouped by."""
        return frozenset([*self.by, *(measure.field for measure in self.measures)])


class Quota(Wire):
    """Deliver at most so much of the dataset to this consumer in a sliding window."""

    kind: Literal["quota"] = "quota"
    unit: Literal["rows", "bytes", "releases"]
    limit: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    window_seconds: Annotated[int, Field(ge=60, le=366 * 86400)]


class Rate(Wire):
    """Answer at most so many fetches of the dataset's data by this consumer in a sliding window."""

    kind: Literal["rate"] = "rate"
    fetches: Annotated[int, Field(ge=1, le=1_000_000)]
    window_seconds: Annotated[int, Field(ge=1, le=86400)]


class Watermark(Wire):
    """Mark the bytes so that a leaked file names whom it was given to."""

    kind: Literal["watermark"] = "watermark"
    recipient: ParticipantId | None = None


class PurposeBinding(Wire):
    """The data may serve this purpose only, and may not be passed on."""

    kind: Literal["purpose-binding"] = "purpose-binding"
    purpose: DatasetId
    onward_sharing: Literal[False] = False


class Expiry(Wire):
    """The consumer deletes the data so many days after it was delivered."""

    kind: Literal["expiry"] = "expiry"
    days: Annotated[int, Field(ge=1, le=3650)]


Obligation = Annotated[
    Redact | Mask | RowFilter | AggregateOnly | Quota | Rate | Watermark | PurposeBinding | Expiry,
    Field(discriminator="kind"),
]
ObligationKind = Literal[
    "redact",
    "mask",
    "row-filter",
    "aggregate-only",
    "quota",
    "rate",
    "watermark",
    "purpose-binding",
    "expiry",
]


def redacted_fields(obligations: Iterable[Obligation]) -> tuple[str, ...]:
    """Collect the fields that obligations drop, sorted; a kind that is not listed here is an error."""
    found: set[str] = set()
    for item in obligations:
        match item:
            case Redact():
                found.update(item.fields)
            case (
                Mask()
                | RowFilter()
                | AggregateOnly()
                | Quota()
                | Rate()
                | Watermark()
                | PurposeBinding()
                | Expiry()
            ):
                pass
            case _:
                assert_never(item)
    return tuple(sorted(found))


Purposes = Annotated[list[DatasetId], Field(max_length=100)]
Levels = Annotated[list[Level], Field(max_length=5)]
Sectors = Annotated[list[Short], Field(max_length=100)]


class Duty(Wire):
    """What a provider asks of a use of its dataset; an empty list holds for every purpose, level or sector.

    Recipients are left open here; the decision names them. Fields that a purpose may not see at all stand in
    ``purpose_fields``, and the binding to the purpose holds always, so neither is a duty.
    """

    purposes: Purposes = Field(default=[])
    levels: Levels = Field(default=[])
    sectors: Sectors = Field(default=[])
    obligation: Annotated[
        Mask | RowFilter | AggregateOnly | Quota | Rate | Watermark | Expiry, Field(discriminator="kind")
    ]

    def is_asked_of(self, *, purpose: str, level: str, sector: str) -> bool:
        """Say whether the duty is asked of a use: of this purpose, by a consumer of this level and sector."""
        return (
            (not self.purposes or purpose in self.purposes)
            and (not self.levels or level in self.levels)
            and (not self.sectors or sector in self.sectors)
        )


class Hours(Wire):
    """Hours of the day in UTC+8: from the start of ``begin`` to the start of ``end``; may pass midnight."""

    begin: Annotated[int, Field(ge=0, le=23)]
    end: Annotated[int, Field(ge=1, le=24)]


class Condition(Wire):
    """Who may use a dataset, from where and when; an empty list sets no limit, and every condition holds.

    ``purposes`` says for which purposes it holds. A territory is an administrative code, and includes all
    below it. A network is the block that the request comes from. Weekdays count from 1, Monday.
    """

    purposes: Purposes = Field(default=[])
    territories: Annotated[list[AdminCode], Field(max_length=100)] = Field(default=[])
    levels: Levels = Field(default=[])
    sectors: Sectors = Field(default=[])
    networks: Annotated[list[Short], Field(max_length=64, description="CIDR blocks")] = Field(default=[])
    weekdays: Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(max_length=7)] = Field(default=[])
    hours: Hours | None = None


class Discharged(Wire):
    """How an obligation was met, as the provider's receipt says; what does not apply is null or empty.

    ``used`` is how much of a quota's or a rate's limit is spent, this delivery included; ``token`` is the
    digest of the watermark, which itself is in the file alone. Columns are those that were masked, filtered
    on or grouped by.
    """

    kind: ObligationKind
    columns: list[Short] = Field(default=[])
    rows_in: Annotated[int, Field(ge=0)] | None = None
    rows_out: Annotated[int, Field(ge=0)] | None = None
    used: Annotated[int, Field(ge=0)] | None = None
    token: Short | None = None
