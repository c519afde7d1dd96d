"""``headwaters contract codes|units``: code lists in their editions, and units that convert."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.errors import Usage
from exchange.cli.contract.app import app
from exchange.cli.output import JsonFlag, say, show, show_rows

if TYPE_CHECKING:
    from contracts.codes import Code, CodeList

_LISTS = {"list": "代码表 list", "edition": "版本 edition", "title": "名称 title", "codes": "条数 codes"}
_CODES = {"code": "代码 code", "title": "名称 title"}
_STEPS = {"edition": "版本 edition", **_CODES}
_UNITS = {"symbol": "符号 symbol", "title": "名称 title", "quantity": "量 quantity"}
_CONVERTED = {"value": "数值 value", "unit": "单位 unit", "exact": "精确 exact"}


@app.command()
def codes(
    list_id: Annotated[str | None, typer.Argument(metavar="LIST", help="代码表编号 / a code list")] = None,
    code: Annotated[
        str | None,
        typer.Argument(metavar="CODE", help="代码:各版本中的名称与去向 / a code: what became of it"),
    ] = None,
    edition: Annotated[
        str | None, typer.Option(metavar="EDITION", help="版本,缺省为最新 / the newest where none is given")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """代码表、代码与版本对照 / code lists, codes, and what a code became; exit 1 for an unknown code."""
    from contracts.codes import code_list, editions  # noqa: PLC0415

    if list_id is None:
        show_rows(_lists(), _LISTS, as_json=as_json, title="代码表 code lists")
        return
    held = code_list(list_id, edition or (editions(list_id) or ("",))[-1])
    if code is None:
        title = f"{held.title_zh} {held.title_en}"
        show_rows([_told(one) for one in held.codes.values()], _CODES, as_json=as_json, title=title)
        return
    steps = [{"edition": each.edition, **_told(one)} for each, one in _standing(held, code, edition)]
    if steps or as_json:
        show_rows(steps, _STEPS, as_json=as_json, title=f"{list_id} {code}")
    else:
        say("各版本均无此代码", "no edition that is held has this code")
    raise typer.Exit(0 if steps else 1)


@app.command()
def units(
    conversion: Annotated[
        list[str] | None, typer.Argument(metavar="[VALUE FROM TO]", help="如 / such as 35200 ng/m3 ug/m3")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """列出计量单位,或换算一个数值 / list the units, or convert a value exactly."""
    from contracts.units import UNITS  # noqa: PLC0415

    if not conversion:
        rows = [
            {"symbol": one.symbol, "title": {"zh": one.zh, "en": one.en}, "quantity": one.quantity}
            for one in UNITS.values()
        ]
        show_rows(rows, _UNITS, as_json=as_json, title="计量单位 units")
        return
    if len(conversion) != 3:
        raise Usage("give a value, its unit and the unit that is wanted: 35200 ng/m3 ug/m3")
    show(_converted(*conversion), as_json=as_json, title="换算 conversion", labels=_CONVERTED)


def _converted(value: str, source: str, target: str) -> dict[str, Any]:
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415

    from contracts.units import conversion, symbol_of  # noqa: PLC0415

    found = conversion(symbol_of(source), symbol_of(target))
    try:
        number = found.apply(Decimal(value))
    except InvalidOperation as error:
        raise Usage("the value is no number") from error
    return {"value": f"{number:f}", "unit": found.target, "exact": found.exact}


def _lists() -> list[dict[str, Any]]:
    from contracts.codes import code_list, lists  # noqa: PLC0415

    held = [code_list(list_id, edition) for list_id, edition in lists()]
    return [
        {
            "list": one.list_id,
            "edition": one.edition,
            "title": {"zh": one.title_zh, "en": one.title_en},
            "codes": len(one.codes),
            "from": None if one.in_force_from is None else one.in_force_from.isoformat(),
            "until": None if one.in_force_until is None else one.in_force_until.isoformat(),
            "source": one.source,
        }
        for one in held
    ]


def _standing(held: "CodeList", text: str, edition: str | None) -> list[tuple["CodeList", "Code"]]:
    """List where a code stands, in the edition that is asked for or in any, and what it became since."""
    from contracts.codes import code_list, crosswalk, editions  # noqa: PLC0415

    every = editions(held.list_id)
    begins = [edition] if edition else [each for each in every if code_list(held.list_id, each).knows(text)]
    found: dict[tuple[str, str], tuple[CodeList, Code]] = {}
    for begin in begins:
        for later in every[every.index(begin) :]:
            there = code_list(held.list_id, later)
            for successor in crosswalk(held.list_id, begin, later, text):
                one = there.find(successor)
                if one is not None:
                    found[later, successor] = (there, one)
    return [found[key] for key in sorted(found)]


def _told(code: "Code") -> dict[str, Any]:
    return {"code": code.code, "title": {"zh": code.zh, "en": code.en}, **code.more}
