"""A register with a field of every kind: rows, obligations, and twins that differ in what is hidden."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from hypothesis import strategies as st

from audit.log.grant_entry import obligations_digest
from contracts.filtering import could_hold
from contracts.masking import masker
from contracts.messages import (
    AggregateOnly,
    CompoundFilter,
    FieldFilter,
    Manifest,
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
    Redact,
    RowFilter,
)
from contracts.schema import Contract, parse_contract
from contracts.validation import Row
from contracts.view import ViewShape, shape_view
from nodes.delivering.duties.handler import View
from nodes.delivering.views import make_view
from nodes.node import Node
from nodes.publishing.artifacts import keep_file
from nodes.sources.artifact import write_artifact
from nodes.sources.batch import RecordBatch

RECIPIENT = "p-222222222222"
PATTERN = "^w[0-9]{2}$"
_KINDS: dict[str, dict[str, Any]] = {
    "keeper": {"type": ["string", "null"], "maxLength": 40},
    "area": {"type": "string", "pattern": "^[0-9]{6}(?:[0-9]{3})?$"},
    "seen": {"type": ["string", "null"]},
    "level": {"type": ["number", "null"], "minimum": -1000, "maximum": 1000},
    "latitude": {"type": ["number", "null"], "minimum": -90, "maximum": 90},
    "visits": {"type": "integer", "minimum": -100_000, "maximum": 100_000},
    "open": {"type": ["boolean", "null"]},
    "place": {"type": ["object", "null"], "additionalProperties": True},
}


def _contract() -> Contract:
    names = [*_KINDS, PATTERN]
    row = {"keeper": None, "area": "510104", "seen": None, "level": None, "latitude": None, "visits": 1}
    document = {
        "contract": 1,
        "id": "register",
        "version": "1.0.0",
        "title": {"zh": "登记", "en": "register"},
        "description": {"zh": "登记", "en": "register"},
        "theme": "environmental-quality",
        "classification": 2,
        "update_frequency": "hourly",
        "editions": ["GB/T 2260, 2023"],
        "fields": [
            {"name": name, "title": {"zh": name, "en": name}, "unit": None, "classification": 1}
            for name in names
        ],
        "record": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": _KINDS,
            "patternProperties": {PATTERN: {"type": ["number", "null"]}},
            "required": ["area", "visits"],
            "additionalProperties": False,
            # What a view cannot judge any more falls away, whichever field of these is hidden.
            "if": {"properties": {"visits": {"minimum": 100_000}}},
            "then": {"properties": {"w07": {"type": "null"}, "keeper": {"minLength": 0}}},
        },
        "example": orjson.dumps(row | {"open": None, "place": None}).decode(),
    }
    return parse_contract(orjson.dumps(document))


CONTRACT = _contract()

AREAS = st.sampled_from(["510104", "510105", "510104001", "530102", "500000"])
TEXTS = st.sampled_from(
    ["", "王", "王小明", "Wang", "wang", "%", "_", "W%ng", "é", "e\u0301", "𠮷", "\uffff"]
) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 12.5, 12.4999, -7.25]) | st.floats(-1000, 1000).map(lambda x: x)
LATITUDES = st.floats(-90, 90)
WHOLE = st.integers(-3, 3) | st.integers(-99_999, 99_999)
TIMES = st.sampled_from(
    ["2023-08-15", "2023-08-15T05:45", "2023-08-15T05:45:30Z", "2023-08-16T05:45:30+08:00", "soon", ""]
)
PLACES = st.tuples(st.floats(-180, 180), LATITUDES).map(
    lambda place: {"type": "Point", "coordinates": list(place)}
) | st.just({"owner": "nobody"})
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "keeper": st.none() | TEXTS,
    "area": AREAS,
    "seen": st.none() | TIMES,
    "level": st.none() | NUMBERS,
    "latitude": st.none() | LATITUDES,
    "visits": WHOLE,
    "open": st.none() | st.booleans(),
    "place": st.none() | PLACES,
}
PATTERN_CELLS = st.dictionaries(st.sampled_from(["w01", "w02", "w07"]), st.none() | NUMBERS, max_size=3)


@st.composite
def rows(draw: st.DrawFn, most: int = 8) -> list[dict[str, Any]]:
    """Draw rows that keep the contract."""
    plain = draw(st.lists(st.fixed_dictionaries(CELLS), max_size=most))
    return [row | draw(PATTERN_CELLS) for row in plain]


_FITTING: dict[str, st.SearchStrategy[MaskHow]] = {
    "keeper": st.integers(1, 4).map(lambda n: MaskTruncate(characters=n)),
    "area": st.sampled_from(["province", "city", "county"]).map(lambda to: MaskGeneralise(to=to)),  # type: ignore[arg-type]  # of the Literal
    "seen": st.sampled_from(["year", "month", "day", "hour"]).map(lambda to: MaskGeneralise(to=to)),  # type: ignore[arg-type]  # of the Literal
    "level": st.integers(-2, 3).map(lambda digits: MaskRound(digits=digits)),
    "latitude": st.integers(1, 10_000).map(lambda cell: MaskGeoGrid(cell_millidegrees=cell)),
    "visits": st.integers(-4, -1).map(lambda digits: MaskRound(digits=digits)),
    "place": st.integers(1, 10_000).map(lambda cell: MaskGeoGrid(cell_millidegrees=cell)),
    PATTERN: st.integers(-2, 3).map(lambda digits: MaskRound(digits=digits)),
}
_HASHABLE = frozenset({"keeper", "area", "seen", "level", "latitude", "visits", PATTERN})


def _masks(name: str) -> st.SearchStrategy[MaskHow]:
    hows: list[st.SearchStrategy[MaskHow]] = [st.just(MaskNull())]
    if name in _FITTING:
        hows.append(_FITTING[name])
    if name in _HASHABLE:
        hows.append(st.just(MaskHash(recipient=RECIPIENT)))
    return st.one_of(hows)


def _fields(kind: str) -> list[str]:
    return [name for name in _KINDS if CONTRACT.kind(name) == kind]


_SCALARS = [name for name in _KINDS if name != "place"]
_COMPARED = st.sampled_from(["eq", "ne", "lt", "lte", "gt", "gte"])
CONDITIONS: st.SearchStrategy[FieldFilter] = st.one_of(
    st.builds(FieldFilter, operator=_COMPARED, field=st.sampled_from(_fields("string")), value=TEXTS | AREAS),
    st.builds(
        FieldFilter, operator=st.just("startswith"), field=st.sampled_from(_fields("string")), value=TEXTS
    ),
    st.builds(
        FieldFilter,
        operator=st.sampled_from(["in", "nin"]),
        field=st.sampled_from(_fields("string")),
        value=st.lists(TEXTS | AREAS | TIMES, min_size=1, max_size=3),
    ),
    st.builds(
        FieldFilter, operator=_COMPARED, field=st.sampled_from(["level", "latitude", "visits"]), value=WHOLE
    ),
    st.builds(
        FieldFilter,
        operator=st.sampled_from(["in", "nin"]),
        field=st.sampled_from(["level", "visits"]),
        value=st.lists(WHOLE, min_size=1, max_size=3),
    ),
    st.builds(
        FieldFilter, operator=st.sampled_from(["eq", "ne"]), field=st.just("open"), value=st.booleans()
    ),
    st.builds(
        FieldFilter, operator=st.sampled_from(["eq", "ne"]), field=st.sampled_from(_SCALARS), value=st.none()
    ),
)
FILTERS: st.SearchStrategy[FieldFilter | CompoundFilter] = st.recursive(
    CONDITIONS,
    lambda part: (
        st.builds(
            CompoundFilter,
            operator=st.sampled_from(["and", "or"]),
            value=st.lists(part, min_size=1, max_size=3),
        )
        | st.builds(CompoundFilter, operator=st.just("not"), value=st.lists(part, min_size=1, max_size=1))
    ),
    max_leaves=6,
)


@st.composite
def obligations(draw: st.DrawFn) -> list[Obligation]:
    """Draw obligations that fit the contract and hide something."""
    names = draw(st.lists(st.sampled_from([*_KINDS, PATTERN]), unique=True, max_size=7))
    cut = draw(st.integers(0, len(names)))
    made: list[Obligation] = [Redact(fields=sorted(names[:cut]))] if cut else []
    made += [Mask(field=name, how=draw(_masks(name))) for name in sorted(names[cut:])]
    if not made or draw(st.booleans()):
        made.append(RowFilter(rows=draw(FILTERS)))
    return [*made, PurposeBinding(purpose="flood-control")]


@st.composite
def figures(draw: st.DrawFn) -> AggregateOnly:
    """Draw an aggregate that fits the contract."""
    by = draw(
        st.lists(st.sampled_from(["area", "open", "visits", "level"]), unique=True, min_size=1, max_size=2)
    )
    numbers = [("level", "sum"), ("level", "mean"), ("visits", "sum"), ("visits", "mean")]
    pairs = draw(
        st.lists(
            st.sampled_from([*numbers, ("keeper", "count"), ("level", "count")]), unique=True, min_size=1
        )
    )
    measures = [Measure(field=name, function=function) for name, function in pairs]  # type: ignore[arg-type]  # of the Literal
    return AggregateOnly(by=by, measures=measures, min_group=draw(st.integers(2, 3)))


@st.composite
def twins(draw: st.DrawFn) -> tuple[list[Obligation], list[dict[str, Any]], list[dict[str, Any]]]:
    """Draw obligations, and two lists of rows that differ only in what these hide."""
    duties = draw(obligations())
    shape = shape_view(CONTRACT, duties)
    one = draw(rows())
    shown = [row for row in one if shape.rows is None or could_hold(shape.rows, row)]
    other = [draw(_twin(row, shape)) for row in shown]
    dropped = [row for row in draw(rows(3)) if shape.rows is not None and not could_hold(shape.rows, row)]
    return duties, one, draw(st.permutations(other + dropped))


@st.composite
def _twin(draw: st.DrawFn, row: dict[str, Any], shape: ViewShape) -> dict[str, Any]:
    """Change a row in hidden cells only, and in a masked cell to a value that looks the same masked."""
    twin = dict(row)
    columns = {*_KINDS, "w01", "w02", "w07"}
    for column in sorted(columns - shape.filtered):
        fields = {field.name for field in CONTRACT.fields_of(column)}
        how = shape.mask_of(column)
        if fields & shape.hidden or isinstance(how, MaskNull):
            twin[column] = draw(CELLS.get(column, st.none() | NUMBERS))
        elif how is not None and not isinstance(how, MaskHash):
            mask = masker(how, limit=shape.degrees(column))
            looks_alike = mask(row.get(column))
            if row.get(column) is not None and looks_alike is not None and draw(st.booleans()):
                twin[column] = looks_alike
    return twin


@dataclass
class Register:
    """Makes views of rows at a provider, as a delivery does."""

    node: Node
    manifest: Manifest
    folder: Path

    def publish(self, records: Sequence[Row], contract: Contract = CONTRACT) -> Manifest:
        """Keep rows as an artifact; give a manifest of it."""
        batch = RecordBatch(contract, range(len(records)), [dict(row) for row in records])
        draft = self.folder / secrets.token_hex(8)
        write_artifact(draft, contract, [batch.keep([True] * len(records))] if records else [])
        content, _ = keep_file(draft, self.node.home.artifacts)
        distribution = self.manifest.distribution.model_copy(
            update={
                "sha256": content.sha256,
                "chunk_root": content.chunk_root,
                "size_bytes": content.size_bytes,
            }
        )
        counts = self.manifest.counts.model_copy(update={"published": len(records)})
        return self.manifest.model_copy(update={"distribution": distribution, "counts": counts})

    def view(
        self, records: Sequence[Row], duties: list[Obligation], contract: Contract = CONTRACT
    ) -> tuple[View, bytes]:
        """Make the view of rows; give it with its bytes."""
        manifest = self.publish(records, contract)
        view = make_view(self.node, manifest, contract, duties, obligations_digest(duties))
        return view, view.path.read_bytes()


def frame_of(view: View) -> pl.DataFrame:
    """Read a view whole."""
    return pl.read_parquet(view.path)
