"""What the demonstration publishes: the files of a data folder, each once, and made-up data where none fits.

Every dataset says its true place and whether it is synthetic. Files go to the provinces in turn, except
that a city's file goes to its own province where that province takes part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson

from contracts.messages import EMERGENCY_PURPOSE, Sharing, Text
from contracts.schema import Contract
from exchange.demo import synthetic
from exchange.demo.alliance import StepFailed
from exchange.demo.cast import PROVINCES
from exchange.demo.processes import run
from nodes.sources.discovery import discover
from nodes.sources.source import RecognisedFile, recognise

ENTERPRISE = "enterprise-credit-records"
BANK_PURPOSE = "credit-review"
BANK_FIELDS = (
    "credit_code",
    "enterprise_name",
    "admin_code",
    "record_year",
    "violations_count",
    "penalties_count",
    "penalty_amount_cny",
    "credit_grade",
    "synthetic",
)
# What the bank's file is held to: the city instead of the county, fines to the nearest 100,000 yuan, nobody
# without a violation on record, a mark that names the bank, a limit, an end.
BANK_DUTIES: tuple[dict[str, Any], ...] = (
    {"kind": "mask", "field": "admin_code", "how": {"method": "generalise", "to": "city"}},
    {"kind": "mask", "field": "penalty_amount_cny", "how": {"method": "round", "digits": -5}},
    {
        "kind": "row-filter",
        "rows": {"type": "field", "operator": "gte", "field": "violations_count", "value": 1},
    },
    {"kind": "watermark"},
    {"kind": "quota", "unit": "rows", "limit": 2000, "window_seconds": 86400},
    {"kind": "expiry", "days": 90},
)
EMERGENCY_FIELDS = (
    "credit_code",
    "enterprise_name",
    "admin_code",
    "industry_code",
    "contact_name",
    "contact_phone",
    "synthetic",
)
_SEEN_FOR = {
    BANK_PURPOSE: BANK_FIELDS,
    "regional-assessment": BANK_FIELDS,
    EMERGENCY_PURPOSE: EMERGENCY_FIELDS,
}
AT_HOME = {"air-city-chengdu": "sichuan", "air-city-chongqing": "chongqing"}
SIMULATED = ("chongqing", "sichuan", "guizhou")
NOWHERE = "虚构,无真实地点 made up, no real place"
_BASIS = {
    Sharing.UNCONDITIONAL: "无条件共享:公众环境质量数据 open to every participant",
    Sharing.CONDITIONAL: "有条件共享:须提供方同意 conditional: the provider must agree",
    Sharing.NOT_SHARED: "不予共享:依法不宜共享 not shared: the law forbids it",
}


@dataclass(frozen=True, slots=True)
class PlannedDataset:
    """One dataset that a province will declare, with the files of its releases in order."""

    dataset: str
    provider: str
    contract: str
    title: Text
    place: str
    sharing: Sharing
    synthetic: bool
    files: tuple[Path, ...]
    classification: int = 1
    purposes: tuple[str, ...] = ()
    purpose_fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    terms: Mapping[str, Any] = field(default_factory=dict)

    def declaration(self) -> dict[str, Any]:
        """Give the body that declares this dataset at its node."""
        return {
            "dataset": self.dataset,
            "contract": self.contract,
            "title": self.title.model_dump(),
            "place": self.place,
            "sharing": self.sharing.value,
            "sharing_basis": _BASIS[self.sharing],
            "classification": self.classification,
            "purposes": list(self.purposes),
            "purpose_fields": [
                {"purpose": purpose, "fields": list(fields)}
                for purpose, fields in self.purpose_fields.items()
            ],
            "update_frequency": "one-off 一次性",
            "synthetic": self.synthetic,
            **self.terms,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """All datasets of one run, and the files that were left out with the reason."""

    datasets: tuple[PlannedDataset, ...]
    skipped: tuple[tuple[str, str], ...]

    def first(self, sharing: Sharing) -> PlannedDataset:
        """Give the first dataset of a sharing class; the plan has one of each."""
        return next(d for d in self.datasets if d.sharing is sharing)

    @property
    def enterprise(self) -> PlannedDataset:
        """Give the dataset that the bank may use."""
        return next(d for d in self.datasets if d.dataset == ENTERPRISE)

    def beyond_the_bank(self) -> list[str]:
        """List datasets that the bank has no right to, for the purpose of marketing; open ones first."""
        others = sorted(self.datasets, key=lambda d: d.sharing is not Sharing.UNCONDITIONAL)
        return [d.dataset for d in others]


def plan_inputs(data: Path | None, scratch: Path) -> Plan:
    """Plan what is published from ``data``; made-up files are written to ``scratch``."""
    found = discover(data) if data else None
    datasets = _real(found.files if found else ())
    if not any(d.sharing is Sharing.UNCONDITIONAL for d in datasets):
        datasets += [_air(scratch), *_simulated(scratch)]
    datasets.append(_enterprise(scratch))
    if not any(d.sharing is Sharing.NOT_SHARED for d in datasets):
        datasets.append(_parcels(scratch))
    skipped = tuple((s.path.name, f"{s.reason.zh} {s.reason.en}") for s in found.skipped) if found else ()
    return Plan(tuple(datasets), skipped)


def properties_of(contract: Contract) -> dict[str, Any]:  # Any: JSON Schema
    """Give the schema of each member of a contract's records."""
    properties: dict[str, Any] = orjson.loads(contract.canonical())["record"]["properties"]
    return properties


def may_be_missing(contract: Contract, field: str) -> bool:
    """Tell whether a record may say of a field that it has no value."""
    return "null" in properties_of(contract).get(field, {}).get("type", ())


def _real(files: Iterable[RecognisedFile]) -> list[PlannedDataset]:
    groups: dict[str, list[RecognisedFile]] = {}
    for file in files:
        groups.setdefault(file.dataset, []).append(file)
    hosts = cycle(player.slug for player in PROVINCES)
    planned = []
    for name, members in groups.items():
        first = members[0]
        planned.append(
            PlannedDataset(
                dataset=name,
                provider=AT_HOME.get(name) or next(hosts),
                contract=first.contract_id,
                title=first.title,
                place=first.info.place,
                sharing=_sharing(first.contract_id),
                synthetic=first.info.synthetic,
                files=tuple(member.path.resolve() for member in members),
            )
        )
    return planned


def _sharing(contract: str) -> Sharing:
    match contract:
        case "stack-emission-hourly":
            return Sharing.CONDITIONAL
        case "waste-water-daily":
            return Sharing.NOT_SHARED
        case _:
            return Sharing.UNCONDITIONAL


def _simulated(scratch: Path) -> list[PlannedDataset]:
    """Let simulated stations speak HJ 212 for three provinces."""
    planned = []
    for seed, province in enumerate(SIMULATED, 1):
        spool = scratch / f"stations-{province}.hj212"
        done = run("node", "simulate", "--to", spool, "--seed", str(seed), "--json")
        file = recognise(spool) if done.returncode == 0 else None
        if file is None:
            raise StepFailed(f"the station simulator failed: {done.stderr.strip()}")
        planned.append(
            PlannedDataset(
                dataset=f"stations-{province}",
                provider=province,
                contract=file.contract_id,
                title=Text(zh="模拟自动站在线监测(合成)", en="Simulated automatic stations (synthetic)"),
                place=NOWHERE,
                sharing=Sharing.UNCONDITIONAL,
                synthetic=True,
                files=(spool,),
            )
        )
    return planned


def _air(scratch: Path) -> PlannedDataset:
    return PlannedDataset(
        dataset="air-example",
        provider="chongqing",
        contract="ambient-air-hourly",
        title=Text(zh="示例站空气质量小时数据(合成)", en="Example stations, hourly air quality (synthetic)"),
        place=NOWHERE,
        sharing=Sharing.UNCONDITIONAL,
        synthetic=True,
        files=(synthetic.write_air(scratch / "air.ndjson"),),
    )


def _enterprise(scratch: Path) -> PlannedDataset:
    return PlannedDataset(
        dataset=ENTERPRISE,
        provider="sichuan",
        contract="enterprise-environment-record",
        title=Text(zh="企业环境信用记录(合成)", en="Enterprise environment records (synthetic)"),
        place=NOWHERE,
        sharing=Sharing.CONDITIONAL,
        synthetic=True,
        files=(synthetic.write_enterprises(scratch / "enterprises.ndjson"),),
        classification=3,
        purposes=tuple(_SEEN_FOR),
        purpose_fields=_SEEN_FOR,
        terms={
            "conditions": [{"purposes": [EMERGENCY_PURPOSE], "levels": ["national"]}],
            "duties": [{"purposes": [BANK_PURPOSE], "obligation": duty} for duty in BANK_DUTIES],
            "emergency": True,
        },
    )


def _parcels(scratch: Path) -> PlannedDataset:
    return PlannedDataset(
        dataset="protected-forest-parcels",
        provider="yunnan",
        contract="forest-parcel",
        title=Text(zh="重点保护林地小班(合成)", en="Protected forest parcels (synthetic)"),
        place=NOWHERE,
        sharing=Sharing.NOT_SHARED,
        synthetic=True,
        files=(synthetic.write_parcels(scratch / "parcels.ndjson"),),
        classification=3,
    )
