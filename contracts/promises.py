"""What a contract promises beyond the shape of a record: its series, code editions, service levels, quality.

Pure words, each a closed shape of its own, for a contract comes from another province: no SQL, no address, no
path, no expression. Limits that need not be whole are written as decimal text, since canonical bytes hold
whole numbers only (``contracts.canonical``). Dimensions are those of ODCS 3.1 (``DataQuality.dimension``).
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.messages import ContractId, Short, Text, Wire

DAY_SECONDS = 86_400
YEAR_DAYS = 366
MAX_RULES = 64
MAX_CODE_LISTS = 32

FieldName = Annotated[str, Field(min_length=1, max_length=200)]
DecimalText = Annotated[
    str,
    Field(pattern=r"^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?$", description="a decimal number as text"),
]
RuleId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
Percent = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[int, Field(ge=1, le=YEAR_DAYS * DAY_SECONDS)]
Days = Annotated[int, Field(ge=1, le=100 * YEAR_DAYS)]


class Compatibility(StrEnum):
    """What the next version of a contract is held to; the transitive forms hold it to all earlier ones.

    BACKWARD: the new version accepts every record that the old one accepts. FORWARD: the old accepts every
    record of the new. FULL: both (Confluent Schema Registry, compatibility types).
    """

    NONE = "none"
    BACKWARD = "backward"
    BACKWARD_TRANSITIVE = "backward-transitive"
    FORWARD = "forward"
    FORWARD_TRANSITIVE = "forward-transitive"
    FULL = "full"
    FULL_TRANSITIVE = "full-transitive"


class Severity(StrEnum):
    """How much a finding weighs; no severity removes a row."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Dimension(StrEnum):
    """What a quality rule looks at (ODCS 3.1)."""

    ACCURACY = "accuracy"
    COMPLETENESS = "completeness"
    CONFORMITY = "conformity"
    CONSISTENCY = "consistency"
    COVERAGE = "coverage"
    TIMELINESS = "timeliness"
    UNIQUENESS = "uniqueness"


class Series(Wire):
    """How records follow one another in time: ``by`` tells one series from another, as a station does.

    ``time`` names a field with an RFC 3339 moment, a date, a year, or local time as
    ``YYYY-MM-DDTHH:MM[:SS]``; ``zone`` says where a local time is read, as an offset from UTC, or null where
    the source says nothing.
    """

    time: FieldName
    by: Annotated[list[FieldName], Field(max_length=4)] = Field(default=[])
    step_seconds: Seconds | None = None
    zone: Annotated[str, Field(pattern=r"^[+-](?:0[0-9]|1[0-4]):[0-5][0-9]$")] | None = None


class CodeEdition(Wire):
    """A code list that some fields take their values from, in one edition, as ``gbt-2260`` of ``2023``."""

    list_id: ContractId
    edition: Short
    title: Text
    fields: Annotated[list[FieldName], Field(min_length=1, max_length=400)]


class ServiceLevels(Wire):
    """What the provider owes its users: each is null where nothing is promised (ODCS ``slaProperties``).

    ``frequency_seconds``: a release at least this often. ``latency_seconds``: from the end of a period
    to its release. ``completeness_percent``: of the records that ``series`` lets expect. ``retention_days``:
    how long releases stay available. ``quarantine_days``: how long a rejected row may wait before it expires.
    """

    frequency_seconds: Seconds | None = None
    latency_seconds: Seconds | None = None
    completeness_percent: Percent | None = None
    retention_days: Days | None = None
    quarantine_days: Days | None = None


class _Rule(Wire):
    """What every quality rule says; ``event`` raises an event when a release has a finding by this rule."""

    id: RuleId
    title: Text
    severity: Severity = Severity.WARNING
    event: bool = False


class CompleteSeries(_Rule):
    """Completeness: of the records that the series' step lets expect in a day or hour, so many are there.

    With ``fields``, each is judged by itself, and a record counts for it where it holds a value, as HJ 663
    asks for 20 hourly values of a pollutant before a daily mean of it is valid.
    """

    kind: Literal["complete-series"]
    minimum_percent: Percent
    per: Literal["hour", "day"] = "day"
    fields: Annotated[list[FieldName], Field(max_length=50)] = Field(default=[])


class Timely(_Rule):
    """Timeliness: a record is released at most so long after its time."""

    kind: Literal["timely"]
    within_seconds: Seconds


class Stuck(_Rule):
    """Accuracy: one series shows the same value in a field for at least so many records in a row."""

    kind: Literal["stuck"]
    fields: Annotated[list[FieldName], Field(min_length=1, max_length=50)]
    records: Annotated[int, Field(ge=2, le=100_000)]


class Sentinel(_Rule):
    """Accuracy: a field holds a number that stands for a fault or the end of the instrument's range."""

    kind: Literal["sentinel"]
    fields: Annotated[list[FieldName], Field(min_length=1, max_length=50)]
    values: Annotated[list[DecimalText], Field(min_length=1, max_length=50)]


class Ordered(_Rule):
    """Consistency: where both are there, ``lesser`` is at most ``greater``, as PM2.5 is at most PM10."""

    kind: Literal["ordered"]
    lesser: FieldName
    greater: FieldName
    tolerance: DecimalText = "0"


class Plausible(_Rule):
    """Accuracy: a value beyond these bounds is possible and odd; the record schema holds the hard bounds."""

    kind: Literal["plausible"]
    field: FieldName
    minimum: DecimalText | None = None
    maximum: DecimalText | None = None


class Jump(_Rule):
    """Accuracy: from one record of a series to the next, a field changes by more than this."""

    kind: Literal["jump"]
    field: FieldName
    more_than: DecimalText
    within_seconds: Seconds | None = None


class Duplicate(_Rule):
    """Uniqueness: more than one record has the same values in these fields."""

    kind: Literal["duplicate"]
    fields: Annotated[list[FieldName], Field(min_length=1, max_length=50)]


class ClockShift(_Rule):
    """Consistency: the times of a series go back, leave its grid of steps, or lie after the release."""

    kind: Literal["clock-shift"]


class Missing(_Rule):
    """Completeness: more than this share of a field is null."""

    kind: Literal["missing"]
    fields: Annotated[list[FieldName], Field(min_length=1, max_length=400)]
    maximum_percent: Percent


class KnownCode(_Rule):
    """Conformity: a code is in the edition of its list that the contract names under ``codes``."""

    kind: Literal["known-code"]
    field: FieldName


class Copied(_Rule):
    """Accuracy: fields that separate instruments fill show the same value, record for record.

    It is found where at least ``records`` records hold both values and all of these pairs are equal.
    """

    kind: Literal["copied"]
    fields: Annotated[list[FieldName], Field(min_length=2, max_length=8)]
    records: Annotated[int, Field(ge=2, le=1_000_000)]


class Derivation(StrEnum):
    """What a standard works out of measured values, in the edition that the record names or the name has."""

    AIR_INDEX_OF_A_DAY = "hj-633-index-of-a-day"
    CLASS_OF_A_SECTION = "gb-3838-2002-class"


INPUTS: dict[Derivation, frozenset[str]] = {
    Derivation.AIR_INDEX_OF_A_DAY: frozenset({"SO2", "NO2", "PM10", "CO", "O3-8h", "PM2.5", "edition"}),
    Derivation.CLASS_OF_A_SECTION: frozenset({"w01001", "w01009", "w01019", "w21003", "w21011", "body"}),
}


class Input(Wire):
    """Which field holds an input of a derivation."""

    name: Short
    field: FieldName


class Recomputed(_Rule):
    """Consistency: a field differs from what a standard works out of the record's other fields.

    Judged are the records in which the field and every input hold a value; a concentration is converted from
    its field's unit into that of the standard.
    """

    kind: Literal["recomputed"]
    field: FieldName
    by: Annotated[Derivation, Field(strict=False)]
    inputs: Annotated[list[Input], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _inputs_are_those_of_the_derivation(self) -> Self:
        named = [one.name for one in self.inputs]
        if len(set(named)) != len(named) or set(named) != INPUTS[self.by]:
            raise ValueError(f"the inputs of {self.by} are: {', '.join(sorted(INPUTS[self.by]))}")
        return self


QualityRule = Annotated[
    CompleteSeries
    | Timely
    | Stuck
    | Sentinel
    | Ordered
    | Plausible
    | Jump
    | Duplicate
    | ClockShift
    | Missing
    | KnownCode
    | Copied
    | Recomputed,
    Field(discriminator="kind"),
]

DIMENSIONS: dict[str, Dimension] = {
    "complete-series": Dimension.COMPLETENESS,
    "timely": Dimension.TIMELINESS,
    "stuck": Dimension.ACCURACY,
    "sentinel": Dimension.ACCURACY,
    "ordered": Dimension.CONSISTENCY,
    "plausible": Dimension.ACCURACY,
    "jump": Dimension.ACCURACY,
    "duplicate": Dimension.UNIQUENESS,
    "clock-shift": Dimension.CONSISTENCY,
    "missing": Dimension.COMPLETENESS,
    "known-code": Dimension.CONFORMITY,
    "copied": Dimension.ACCURACY,
    "recomputed": Dimension.CONSISTENCY,
}


def decimal(text: str) -> Decimal:
    """Read a decimal text."""
    return Decimal(text)


def fields_of(rule: QualityRule) -> tuple[str, ...]:
    """Name the fields that a rule itself names; those of the series are not among them."""
    match rule:
        case CompleteSeries() | Stuck() | Sentinel() | Duplicate() | Missing() | Copied():
            return tuple(rule.fields)
        case Ordered():
            return (rule.lesser, rule.greater)
        case Plausible() | Jump() | KnownCode():
            return (rule.field,)
        case Recomputed():
            return (rule.field, *(one.field for one in rule.inputs))
        case Timely() | ClockShift():
            return ()
