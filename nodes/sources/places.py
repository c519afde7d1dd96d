"""Where a file's rows come from, as far as its columns say, and what its dataset may be called.

No place is invented: a station or site that is not known here leaves the place as not stated.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.messages import Text
from contracts.schema import Contract
from nodes.sources.layouts import BUOY, FIVE_CITIES, PLANT, PRSA, TURBINE, Layout

NOT_STATED = "not stated in the file"

_STATIONS = {
    "Aotizhongxin": "奥体中心", "Changping": "昌平", "Dingling": "定陵", "Dongsi": "东四", "Guanyuan": "官园",
    "Gucheng": "古城", "Huairou": "怀柔", "Nongzhanguan": "农展馆", "Shunyi": "顺义", "Tiantan": "天坛",
    "Wanliu": "万柳", "Wanshouxigong": "万寿西宫",
}  # fmt: skip
_EMBASSY_SITE = "PM_US Post"
_CITIES = {
    frozenset({"PM_Dongsi", "PM_Dongsihuan", "PM_Nongzhanguan"}): ("Beijing", "北京", "Beijing"),
    frozenset({"PM_Caotangsi", "PM_Shahepu"}): ("Chengdu", "成都", "Chengdu, Sichuan"),
    frozenset({"PM_City Station", "PM_5th Middle School"}): ("Guangzhou", "广州", "Guangzhou, Guangdong"),
    frozenset({"PM_Jingan", "PM_Xuhui"}): ("Shanghai", "上海", "Shanghai"),
    frozenset({"PM_Taiyuanjie", "PM_Xiaoheyan"}): ("Shenyang", "沈阳", "Shenyang, Liaoning"),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """A suggested dataset name and title, and the true place."""

    dataset: str
    title: Text
    place: str
    station: str | None = None


def origin_of(
    layout: Layout | None, contract: Contract, header: Sequence[str], stations: Sequence[str]
) -> Origin:
    """Say where rows come from; ``stations`` are all the station names in the file."""
    if layout is PRSA:
        return _beijing(stations)
    if layout is FIVE_CITIES:
        return _city(header)
    if layout is BUOY:
        title = Text(zh="布里斯班河浮标水质", en="Brisbane River buoy, water quality")
        return Origin("river-buoy-brisbane", title, "Brisbane River, Queensland, Australia")
    if layout is TURBINE:
        title = Text(zh="燃气轮机烟气排放小时数据", en="Gas turbine stack emission, hourly")
        return Origin("stack-gas-turbine", title, f"{NOT_STATED} (one gas turbine, UCI 551)")
    if layout is PLANT:
        title = Text(zh="污水处理厂日均值", en="Waste water plant, daily means")
        return Origin("waste-water-plant", title, f"{NOT_STATED} (one plant, UCI 106)")
    return Origin(contract.id, contract.title, NOT_STATED)


def _beijing(stations: Sequence[str]) -> Origin:
    known = bool(stations) and all(station in _STATIONS for station in stations)
    if not known:
        return _unknown(stations)
    if len(stations) > 1:
        title = Text(
            zh=f"北京 {len(stations)} 站空气质量小时数据",
            en=f"Beijing, {len(stations)} stations, hourly air quality",
        )
        return Origin("air-beijing-stations", title, f"Beijing, {len(stations)} stations")
    name = stations[0]
    title = Text(zh=f"北京{_STATIONS[name]}站空气质量小时数据", en=f"Beijing {name}, hourly air quality")
    return Origin(f"air-{name.lower()}", title, f"Beijing, station {name}", name)


def _unknown(stations: Sequence[str]) -> Origin:
    """Name the one station as the file does; its place is not known here, and none is made up."""
    if len(stations) != 1:
        return Origin(
            "air-stations", Text(zh="环境空气质量小时数据", en="Ambient air quality, hourly"), NOT_STATED
        )
    name = stations[0][:40]
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "station"
    title = Text(zh=f"{name} 站空气质量小时数据", en=f"{name}, hourly air quality")
    return Origin(f"air-{slug}", title, f"{NOT_STATED} (station {name})", stations[0])


def _city(header: Sequence[str]) -> Origin:
    sites = frozenset(name for name in header if name.startswith("PM_") and name != _EMBASSY_SITE)
    found = _CITIES.get(sites)
    if found is None:
        return Origin("air-city", Text(zh="城市 PM2.5 小时数据", en="City PM2.5, hourly"), NOT_STATED)
    name, zh, place = found
    return Origin(
        f"air-city-{name.lower()}", Text(zh=f"{zh} PM2.5 小时数据", en=f"{name} PM2.5, hourly"), place
    )
