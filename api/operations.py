"""`/healthz` and `/metrics`: for whoever runs the service."""

from fastapi import APIRouter
from fastapi.responses import Response

from .. import __version__
from .service import ServiceOf

router = APIRouter(tags=["operations"])


@router.get("/healthz")
def get_health(service: ServiceOf) -> dict[str, str]:
    """Answer once the catalogue can be read."""
    cursor, catalogue = service.reader.cursor()
    cursor.execute("SELECT 1 FROM receipts LIMIT 1")
    return {"status": "ok", "version": __version__, "catalogue": catalogue}


@router.get("/metrics", response_class=Response)
def get_metrics(service: ServiceOf) -> Response:
    """Return counters in Prometheus's text format, of this process."""
    return Response(service.metrics.expose(), media_type="text/plain; version=0.0.4")
