"""`/v1/jobs`: long work that was asked for, how far it is, and how to stop it."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from .access import CallerOf, caller_of, needs, require
from .keys import Scope
from .problems import Problem
from .schemas import Job, JobKind, JobState
from .service import Service, ServiceOf

SCOPES: dict[JobKind, Scope] = {"build": "manifest", "audit": "audit", "reweigh": "admin"}
"""What a key needs to ask for a kind of job, or to cancel one."""

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": Job, "description": "It is long, or a job was preferred: `Location` tells of it"}
}
_MISSING: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such job."}
}

Prefer = Annotated[
    str | None,
    Header(description="`respond-async`: answer 202 with a job (RFC 7240)", max_length=200),
]

router = APIRouter(prefix="/v1", tags=["jobs"], dependencies=[needs("read")])


class Jobs(BaseModel):
    """Jobs, the newest first."""

    jobs: list[Job]


@router.get("/jobs")
def get_jobs(
    service: ServiceOf,
    state: Annotated[JobState | None, Query(description="only those in this state")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Jobs:
    """List jobs, the newest first; the last thousand that are finished are remembered."""
    return Jobs(jobs=service.queue.all(state=state, limit=limit))


@router.get("/jobs/{job_id}", responses=_MISSING)
def get_job(job_id: str, service: ServiceOf) -> Job:
    """Return a job: its state, how far it is, and what came of it."""
    return _find(service, job_id)


@router.delete(
    "/jobs/{job_id}",
    responses={**_MISSING, 409: {"model": Problem, "description": "It is finished."}},
)
def delete_job(job_id: str, service: ServiceOf, caller: CallerOf) -> Job:
    """Cancel a job; one that is being done stops when its worker next says how far it is."""
    job = _find(service, job_id)
    require(caller, SCOPES[job.kind])
    if job.finished:
        raise HTTPException(409, f"job {job.id} is {job.state} already: nothing is left to cancel")
    return service.queue.cancel(job.id) or job


def prefers_job(prefer: str | None) -> bool:
    """Return whether a request's `Prefer` asks for a job (RFC 7240)."""
    asked = (part.partition(";")[0].strip().lower() for part in (prefer or "").split(","))
    return "respond-async" in asked


def accept(
    service: Service, request: Request, kind: JobKind, arguments: dict[str, Any], *, identity: str
) -> JSONResponse:
    """Enqueue a job, unless one of this identity is unfinished, and answer where it is to be seen.

    `identity` is what two requests for the same have in common.
    """
    job = service.queue.add(
        kind, arguments, identity=identity, asked_by=caller_of(request).name,
        request_id=request.scope["request_id"],
    )  # fmt: skip
    headers = {"Location": f"/v1/jobs/{job.id}"}
    if prefers_job(request.headers.get("prefer")):
        headers["Preference-Applied"] = "respond-async"
    return JSONResponse(job.model_dump(mode="json"), 202, headers)


def _find(service: Service, job_id: str) -> Job:
    job = service.queue.get(job_id)
    if job is None:
        raise HTTPException(404, f"no job {job_id[:100]!r}: /v1/jobs lists them")
    return job
