"""Runs the application under uvicorn, in one process or several."""

import os
import signal
import socket
import threading
from collections.abc import Sequence
from multiprocessing import parent_process
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from uvicorn.supervisors import Multiprocess

from ..classifiers.meta import default_thresholds
from .access import UNGUARDED, Protection
from .app import LOOPBACK, create_app
from .heads import PromptHeads
from .logs import configure_logs
from .places import NOWHERE, Places

_SERVED = "NARRASCOPE_SERVED"
_RATE_LIMIT = "6000/minute"


class _Served(BaseModel):
    """What every server process is told, as JSON in its environment."""

    model_config = ConfigDict(frozen=True)
    tags: str
    models: Path | None
    judge: bool | None
    log_level: str
    state: Path | None
    protection: Protection
    places: Places

    def app(self) -> FastAPI:
        configure_logs(self.log_level)
        # Another site's page cannot send a key: only without them must it not reach the service.
        hosts: Sequence[str] = ("*",) if self.protection.require_keys else LOOPBACK
        return create_app(
            self.tags, models=self.models, judge=self.judge, hosts=hosts, state=self.state,
            protection=self.protection, places=self.places,
            thresholds=default_thresholds(self.models),
        )  # fmt: skip


def serve(
    tags: str,
    *,
    host: str,
    port: int,
    workers: int,
    models: Path | None,
    judge: bool | None,
    log_level: str,
    state: Path | None = None,
    protection: Protection = UNGUARDED,
    places: Places = NOWHERE,
) -> None:
    """Serve a tag folder until interrupted.

    Args:
        tags: the tag folder, a local path or an fsspec URL.
        host: address to bind; any but the loopback requires keys, whatever `protection` says, and
            keys required bring a rate limit where none is set.
        port: port to bind.
        workers: server processes over the one folder.
        models: the models that score; by default the shipped ones.
        judge: whether the judge scores too; by default where it can.
        log_level: least level that is logged.
        state: the SQLite file of keys and jobs; by default beside the tags.
        protection: keys, limits, and who else may ask.
        places: where a corpus may be read, and its shards written; by default nowhere.

    Raises:
        SettingsError: keys are required and none is valid.
        TagsError: the folder is missing, holds no finished part, or one that cannot be read.
    """
    if protection.require_keys or host not in LOOPBACK:
        limit = protection.rate_limit or _RATE_LIMIT
        protection = protection.model_copy(update={"require_keys": True, "rate_limit": limit})
    served = _Served(
        tags=tags, models=models, judge=judge, log_level=log_level, state=state,
        protection=protection, places=places,
    )  # fmt: skip
    app = served.app()  # in the parent too: what is wrong with the folder is said at once
    if workers == 1:
        uvicorn.run(
            app, http=PromptHeads, host=host, port=port, log_level=log_level, access_log=False
        )
        return
    os.environ[_SERVED] = served.model_dump_json()
    config = uvicorn.Config(
        f"{__name__}:app_from_environment", factory=True, http=PromptHeads, host=host, port=port,
        workers=workers, log_level=log_level, access_log=False,
    )  # fmt: skip
    Multiprocess(config, sockets=[_prompt_listener(config)]).run()


def _prompt_listener(config: uvicorn.Config) -> socket.socket:
    """Return the socket that several server processes listen on; connections inherit its options.

    As asyncio does for one process, it sends at once: an answer's head and body are two writes, and
    the second would wait some 40 ms for the first to be acknowledged.
    """
    listener = config.bind_socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def app_from_environment() -> FastAPI:
    """Return the application in a server process that `serve` started."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return _Served.model_validate_json(os.environ[_SERVED]).app()


def _end_with_parent() -> None:
    # A parent that is killed leaves its server processes behind, and they would keep the port.
    if (parent := parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
