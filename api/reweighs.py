"""`POST /v1/manifests/{id}/reweighs`: bucket shards of a manifest, written by a worker."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ..manifests.assign import Match, Mode
from .access import needs
from .building import find_manifest
from .job_routes import SCOPES, accept
from .problems import Problem
from .schemas import Job
from .service import ServiceOf

_MISSING: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such manifest."}
}

router = APIRouter(prefix="/v1", tags=["manifests"], dependencies=[needs(SCOPES["reweigh"])])


class Reweighing(BaseModel):
    """What is to be written; see `narrascope reweigh`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"source": "/data/corpus"}]}
    )
    source: str | None = Field(
        default=None,
        max_length=2000,
        description="the corpus, or some of its shards, below a root of NARRASCOPE_CORPORA; by "
        "default where it was scanned",
    )
    root: str | None = Field(
        default=None, max_length=2000, description="what shard names are relative to"
    )
    mode: Mode = Field(
        default="buckets", description="each document once, or drops and copies applied"
    )
    match: Match = Field(default="row", description="what documents are recognised by")


@router.post(
    "/manifests/{manifest_id}/reweighs", status_code=202, response_model=Job, responses=_MISSING
)
def post_reweigh(
    manifest_id: str, body: Reweighing, service: ServiceOf, request: Request
) -> JSONResponse:
    """Have a worker write the bucket shards of a manifest below `NARRASCOPE_OUTPUTS`."""
    manifest = find_manifest(service.manifests, manifest_id)
    if manifest is None:
        raise HTTPException(404, f"no manifest {manifest_id[:100]!r}: /v1/manifests lists them")
    service.places.output()
    source = service.places.source(body.source or manifest.root)
    root = service.places.source(body.root) if body.root else None
    arguments = {
        "manifest": manifest.id, "source": source, "root": root, "mode": body.mode,
        "match": body.match,
    }  # fmt: skip
    identity = f"{manifest.id} {body.mode} {body.match} {source} {root}"
    return accept(service, request, "reweigh", arguments, identity=identity)
