"""How a terminal tells why a decision came out as it did: reasons, rules, facts, and the lines that ran."""

import json
from typing import Any

from rich.markup import escape

from exchange.cli.output import harmless, out, show_rows

_VALUE = 120

# What ``policies.explain`` wrote as JSON.
Told = dict[str, Any]


def tell_explanation(told: Told, *, depth: int, with_lines: bool) -> None:
    """Print the reasons with what they rest on, the obligations, and the coverage."""
    mark, colour = {"permit": ("✓", "green"), "deny": ("✗", "red")}.get(told["outcome"], ("!", "yellow"))
    out.print(f"[bold]理由 reasons[/bold]  [dim]{escape(told['policy'])} · {escape(told['engine'])}[/dim]")
    for cause in told["causes"]:
        said = f"{_clean(cause['zh'])}  [dim]{_clean(cause['en'])}[/dim]"
        out.print(f"[{colour}]{mark}[/{colour}] {said}  [dim]\\[{_clean(cause['code'])}][/dim]")
        _places(cause["places"], 1)
        _facts(cause["facts"], 1)
        _clauses(cause["because"], 1, depth)
    if told["obligations"]:
        out.print("[bold]义务 obligations[/bold]")
    for one in told["obligations"]:
        origin = f"数据集登记 record: {one['record']}" if one["record"] else _where(one["places"])
        out.print(f"• {_clean(one['zh'])}  [dim]{_clean(one['en'])}  ← {_clean(origin)}[/dim]")
    _coverage(told["coverage"], with_lines)


def _clauses(clauses: list[Told], indent: int, depth: int) -> None:
    if depth == 0 and clauses:
        rules = ", ".join(clause["rule"] for clause in clauses)
        out.print(f"{'  ' * indent}[dim]… {_clean(rules)}[/dim]")
        return
    for clause in clauses:
        value = "" if clause["value"] is None else f" = {_value(clause['value'])}"
        where = _where(clause["places"])
        out.print(f"{'  ' * indent}↳ {_clean(clause['rule'])}{value}  [dim]{_clean(where)}[/dim]")
        _facts(clause["facts"], indent + 1)
        _clauses(clause["because"], indent + 1, depth - 1)


def _places(places: list[Told], indent: int) -> None:
    for place in places:
        out.print(f"{'  ' * indent}[dim]{_clean(place['file'])}:{place['line']}[/dim]")
        for line in place["text"].splitlines():
            out.print(f"{'  ' * (indent + 1)}{_clean(line.expandtabs(2))}")


def _facts(facts: Told, indent: int) -> None:
    for path, value in facts.items():
        out.print(f"{'  ' * indent}[cyan]{_clean(path)}[/cyan] = {_value(value)}")


def _where(places: list[Told]) -> str:
    return ", ".join(f"{place['file'].rpartition('/')[2]}:{place['line']}" for place in places)


def _coverage(files: list[Told], with_lines: bool) -> None:
    rows = [
        {
            "file": one["file"],
            "covered": len(one["covered"]),
            "not_covered": len(one["not_covered"]),
            "lines": _ranges(one["not_covered"]),
        }
        for one in files
    ]
    columns = {
        "file": "文件 file",
        "covered": "已执行行 lines run",
        "not_covered": "未到达 not reached",
        "lines": "未到达的行 which",
    }
    show_rows(rows, columns, as_json=False, title="策略行 lines of the policy")
    for one in files if with_lines else []:
        out.print(f"[bold]{_clean(one['file'])}[/bold]")
        run, missed = set(one["covered"]), set(one["not_covered"])
        for number, line in enumerate(one["source"].splitlines(), start=1):
            colour = "green" if number in run else "red" if number in missed else "dim"
            sign = "✓" if number in run else "·" if number in missed else " "
            out.print(f"[{colour}]{number:4} {sign} {_clean(line.expandtabs(4))}[/{colour}]")


def _ranges(numbers: list[int]) -> str:
    """Write line numbers as ranges: 3-5, 9."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _clean(text if len(text) <= _VALUE else text[:_VALUE] + "…")


def _clean(text: str) -> str:
    return escape(harmless(text))
