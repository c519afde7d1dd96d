"""The page of all problems, written from the error classes: ``python -m tests.habits.problems_page``.

``docs/reference/problems.md`` is this text and nothing else, so a new error never lacks its row.
"""

import importlib
import pkgutil
from pathlib import Path

from contracts.errors import HeadwatersError
from contracts.problem import status_of

PACKAGES = ("contracts", "audit", "policies", "nodes", "exchange")
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "problems.md"

_HEAD = """\
# 问题与对策 Problems

每个拒绝都有固定代码、中英文标题和下一步。命令行把它们写到标准错误输出;HTTP 以 `application/problem+json`
(RFC 9457)返回,代码在 `code`,事实在 `facts`。

Every refusal has a fixed code, a title and a next step in both languages. The command line prints them on
standard error; HTTP answers `application/problem+json` (RFC 9457), the code in `code` and facts in `facts`.

`exit` is the command's exit code (1 refused or invalid · 2 not decidable · 64 wrong usage · 70 internal ·
75 a part is unavailable), `HTTP` the status; some problems are met on one side only. This page is written
from the code: `.venv/bin/python -m tests.habits.problems_page`.

| code | 标题 title zh | title en | 怎么办 what to do | exit | HTTP |
| --- | --- | --- | --- | --- | --- |
"""


def error_classes() -> list[type[HeadwatersError]]:
    """Import every module of the five packages and give every error class, by code."""
    for package in PACKAGES:
        home = importlib.import_module(package)
        for module in pkgutil.walk_packages(home.__path__, f"{package}."):
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found: list[type[HeadwatersError]] = []
    waiting = [HeadwatersError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.split(".")[0] in PACKAGES:
            found.append(kind)
    return sorted(found, key=lambda kind: kind.code)


def http_status(kind: type[HeadwatersError]) -> int:
    """Give the status of a class; some classes cannot be made without facts, and none are needed here."""
    return status_of(kind.__new__(kind))


def page() -> str:
    """Write the page."""
    return _HEAD + "".join(_row(kind) for kind in error_classes())


def _row(kind: type[HeadwatersError]) -> str:
    cells = (
        f"`{kind.code}`",
        kind.title_zh,
        kind.title_en(),
        f"{kind.next_zh} / {kind.next_en}",
        str(kind.exit_code),
        str(http_status(kind)),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
