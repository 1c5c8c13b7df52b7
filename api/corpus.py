"""`GET /v1/taxonomy` and `GET /v1/scans`: what may be said of a document, and what was read."""

from typing import Any

from fastapi import APIRouter, Response

from ..labels.taxonomy import Taxonomy, read_taxonomy
from ..store.scans import failed_parts, scans
from .access import needs
from .conditional import UNCHANGED, ValidatorOf
from .schemas import Scans
from .service import Cursor

router = APIRouter(prefix="/v1", tags=["corpus"], dependencies=[needs("read")])


@router.get("/taxonomy")
def get_taxonomy() -> Taxonomy:
    """Return labels, stances, genres and behaviours, each with a definition and a pair."""
    return read_taxonomy()


@router.get("/scans", response_model=Scans, responses=UNCHANGED)
def get_scans(cursor_over: Cursor, validator: ValidatorOf) -> dict[str, Any] | Response:
    """Return the scans that the tag folder holds, oldest first, and what was set aside."""
    if unchanged := validator.unchanged():
        return unchanged
    return {"scans": scans(cursor_over), "failed": failed_parts(cursor_over)}
