"""Runs the application under uvicorn, in one process or several."""

import json
import os
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from ..classifiers.meta import default_thresholds
from ..errors import SettingsError
from .app import LOOPBACK, create_app
from .logs import configure_logs

_TAGS, _MODELS = "NARRASCOPE_SERVED_TAGS", "NARRASCOPE_SERVED_MODELS"
_JUDGE, _LOG_LEVEL = "NARRASCOPE_SERVED_JUDGE", "NARRASCOPE_SERVED_LOG_LEVEL"


def serve(
    tags: str,
    *,
    host: str,
    port: int,
    workers: int,
    models: Path | None,
    judge: bool | None,
    log_level: str,
) -> None:
    """Serve a tag folder until interrupted.

    Args:
        tags: the tag folder, a local path or an fsspec URL.
        host: address to bind; only the loopback, since there are no keys yet.
        port: port to bind.
        workers: server processes over the one folder.
        models: the models that score; by default the shipped ones.
        judge: whether the judge scores too; by default where it can.
        log_level: least level that is logged.

    Raises:
        SettingsError: the host is not the loopback.
        TagsError: the folder is missing, holds no finished part, or one that cannot be read.
    """
    if host not in LOOPBACK:
        raise SettingsError(
            f"host {host} is reachable by others, and this version has no keys to tell them apart: "
            f"bind one of {', '.join(LOOPBACK)}, and put a proxy that checks users before it"
        )
    configure_logs(log_level)
    app = _app(
        tags, models, judge
    )  # in the parent too: what is wrong with the folder is said at once
    if workers == 1:
        uvicorn.run(app, host=host, port=port, log_level=log_level, access_log=False)
        return
    os.environ[_TAGS] = tags
    os.environ[_MODELS] = str(models or "")
    os.environ[_JUDGE] = json.dumps(judge)
    os.environ[_LOG_LEVEL] = log_level
    uvicorn.run(
        f"{__name__}:app_from_environment", factory=True, host=host, port=port, workers=workers,
        log_level=log_level, access_log=False,
    )  # fmt: skip


def app_from_environment() -> FastAPI:
    """Return the application in a server process that `serve` started."""
    configure_logs(os.environ[_LOG_LEVEL])
    models = os.environ[_MODELS]
    judge = json.loads(os.environ[_JUDGE])
    return _app(os.environ[_TAGS], Path(models) if models else None, judge)


def _app(tags: str, models: Path | None, judge: bool | None) -> FastAPI:
    return create_app(tags, models=models, judge=judge, thresholds=default_thresholds(models))
