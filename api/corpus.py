"""`GET /v1/taxonomy` and `GET /v1/scans`: what may be said of a document, and what was read."""

from typing import Any

from fastapi import APIRouter

from ..labels.taxonomy import Taxonomy, read_taxonomy
from ..store.scans import failed_parts, scans
from .access import needs
from .schemas import Scans
from .service import Cursor

router = APIRouter(prefix="/v1", tags=["corpus"], dependencies=[needs("read")])


@router.get("/taxonomy")
def get_taxonomy() -> Taxonomy:
    """Return labels, stances, genres and behaviours, each with a definition and a pair."""
    return read_taxonomy()


@router.get("/scans", response_model=Scans)
def get_scans(cursor_over: Cursor) -> dict[str, Any]:
    """Return the scans that the tag folder holds, oldest first, and what was set aside."""
    return {"scans": scans(cursor_over), "failed": failed_parts(cursor_over)}
