"""Run benchmarks by name, all of them without one, and print a table or, with ``--json``, one JSON value."""

import argparse
import json
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

BENCHMARKS = ("append", "latency", "offline", "quorum", "deciding", "opa", "replay", "validation", "hj212")


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which; all without a name")
    parser.add_argument("--quick", action="store_true", help="100,000 rows where there would be a million")
    parser.add_argument("--json", action="store_true", help="one JSON value on standard output")
    chosen = parser.parse_args()
    if chosen.quick:
        os.environ.setdefault("HEADWATERS_BENCH_ROWS", "100000")  # read when a benchmark is loaded
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    figures: list[Figure] = []
    for name in chosen.names or BENCHMARKS:
        print(f"… {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="headwaters-bench-") as folder:
            # Loaded one by one: what another benchmark imports must not lie in this one's heap.
            run: Callable[[Path], list[Figure]] = import_module(f"benchmarks.{name}").run
            figures += run(Path(folder))
    if chosen.json:
        print(json.dumps([figure.facts() for figure in figures], ensure_ascii=False, indent=2))
        return
    _show(figures)


def _show(figures: list[Figure]) -> None:
    table = Table(title=f"Python {platform.python_version()}, {platform.machine()}", title_justify="left")
    for heading in ("target", "figure", "measured", "plain limit, same run", "ratio", "bar", "aim"):
        table.add_column(heading, overflow="fold")
    for figure in figures:
        table.add_row(*figure.cells())
    Console(width=150 if not sys.stdout.isatty() else None).print(table)


if __name__ == "__main__":
    main()
