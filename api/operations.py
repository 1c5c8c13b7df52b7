"""`/healthz`, `/readyz` and `/metrics`: for whoever runs the service."""

import os
import sqlite3

import duckdb
from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from .. import __version__
from ..errors import one_line
from .access import needs
from .problems import Problem
from .service import ServiceOf

router = APIRouter(tags=["operations"])


@router.get("/healthz")
def get_health(service: ServiceOf) -> dict[str, str]:
    """Answer once the catalogue can be read."""
    cursor, catalogue = service.reader.current()
    cursor.execute("SELECT 1 FROM receipts LIMIT 1")
    return {"status": "ok", "version": __version__, "catalogue": catalogue}


@router.get(
    "/readyz", responses={503: {"model": Problem, "description": "It cannot do all it should."}}
)
def get_readiness(service: ServiceOf) -> dict[str, str]:
    """Answer once every route can: the catalogue is read, and keys, jobs and manifests are kept."""
    try:
        catalogue = get_health(service)["catalogue"]
        with service.queue.state.writing():
            pass
    except (duckdb.Error, sqlite3.Error) as error:
        raise HTTPException(503, f"not ready: {one_line(error)}; look at the log") from error
    home = service.manifests if service.manifests.exists() else service.manifests.parent
    if not os.access(home, os.W_OK):
        raise HTTPException(503, "not ready: the manifests' folder cannot be written; mend that")
    return {"status": "ready", "catalogue": catalogue}


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    dependencies=[needs("read")],
)
def get_metrics(service: ServiceOf) -> Response:
    """Return counters in Prometheus's text format: of this process, but jobs, which are of all."""
    found = service.metrics.expose(
        jobs=service.queue.counts(), catalogue=service.reader.current()[1]
    )
    return Response(found, media_type="text/plain; version=0.0.4")
