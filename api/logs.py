"""The service's log: one line an event on standard error, for a person or for a machine."""

import logging
import sys
import traceback

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


def account(error: Exception) -> dict[str, str]:
    """Return what a log says of a failure of the program: `error`, `where` and perhaps `why`.

    Most exceptions' messages could quote a text of the corpus, so they are left out; those of the
    operating system do not.
    """
    where = "".join(traceback.format_tb(error.__traceback__))
    told = {"error": type(error).__name__, "where": where}
    return {**told, "why": " ".join(str(error).split())} if isinstance(error, OSError) else told
