"""The command ``headwaters``: one word for everything a person does here.

Exit codes: 0 done · 1 refused or invalid · 2 not decidable · 64 wrong usage · 70 internal error ·
75 a part is unavailable. What a command needs beyond the client is imported when it runs.
"""

import os
import sys

import httpx
import structlog

from contracts.errors import HeadwatersError, Unavailable

USAGE = 64

_KEPT = "dirty_decay_ms:0,muzzy_decay_ms:0"
"""How long Polars' allocator (jemalloc) keeps memory that is free: not at all, for a tenth more CPU time.

Polars prefers this to its own setting when it is loaded; a value that the environment has already stays.
"""


class NotReachable(Unavailable):
    """The process does not answer."""

    code = "not-reachable"
    title_zh = "进程没有应答"
    next_zh = "确认对应的 serve 命令正在运行。"
    next_en = "Check that the matching serve command is running."


def main() -> None:
    """Run the command line and exit with the documented code."""
    os.environ.setdefault("_RJEM_MALLOC_CONF", _KEPT)

    from exchange.cli.app import app  # noqa: PLC0415  # importing the package costs nothing
    from exchange.cli.output import fail  # noqa: PLC0415
    from nodes.telemetry import configure_logging  # noqa: PLC0415

    configure_logging()

    as_json = "--json" in sys.argv
    try:
        app()
    except SystemExit as stop:
        # The parser's own usage errors end with 2, which means "not decidable" here.
        raise SystemExit(USAGE if stop.code == 2 else stop.code) from None
    except HeadwatersError as error:
        raise SystemExit(fail(error, as_json=as_json)) from None
    except httpx.TransportError as error:
        raise SystemExit(fail(NotReachable(str(error)), as_json=as_json)) from None
    except Exception:  # noqa: BLE001  # a bug too ends with the documented code, its trace in the log
        structlog.get_logger(__name__).exception("unexpected_error")
        raise SystemExit(fail(HeadwatersError(), as_json=as_json)) from None
