"""The service's log: one line an event on standard error, for a person or for a machine."""

import logging
import sys

import structlog


def configure_logs(level: str) -> None:
    """Log events of at least a level: readable on a terminal, else one JSON object a line.

    Args:
        level: `debug`, `info`, `warning` or `error`.
    """
    if sys.stderr.isatty():
        renderer: list[structlog.typing.Processor] = [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    else:
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
