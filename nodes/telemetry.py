"""The application log of any Headwaters process: JSON lines on standard error, facts with fields.

It carries no personal data, no row and no secret; standard output stays free for results. The audit log is
another thing and lives in ``audit``.
"""

import logging
import sys

import structlog


def configure_logging() -> None:
    """Write structlog and the standard library's warnings as JSON lines on stderr; for a process's start."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format='{"at":"%(asctime)s","level":"%(levelname)s","logger":"%(name)s"}',
        force=True,
    )
