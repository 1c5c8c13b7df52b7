"""`/v1/audits`: documents drawn to be read, what readers say of them, and what follows."""

import threading
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ..classifiers.meta import default_thresholds
from ..labels.audit import ADJUDICATOR, Design
from ..labels.taxonomy import Label
from ..store.agreement import open_items
from ..store.audit_import import keep_records
from ..store.audit_name import check_name
from ..store.audits import Audit, audit_names, read_audit, read_audits
from ..store.labelling_file import labelling_rows
from ..store.settled import how_far, latest_records
from .access import needs
from .building import draw_once
from .job_routes import ACCEPTED, SCOPES, Prefer, accept, prefers_job
from .problems import Problem
from .service import Cursor, Reading, Service, ServiceOf

_MISSING: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such audit."}
}
_writing = threading.Lock()

router = APIRouter(prefix="/v1", tags=["audits"], dependencies=[needs(SCOPES["audit"])])

Reader = Annotated[str, Field(min_length=1, max_length=100)]


class Wish(BaseModel):
    """What is to be drawn; see `narrascope audit sample`."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = Field(default=None, description="audit-1, audit-2, … by default")
    label: Label | None = Field(
        default=None, description="whose score makes the strata; the highest portrayal's by default"
    )
    budget: int = Field(default=1000, ge=1, le=100_000, description="documents to draw")
    strata: int = Field(default=8, ge=1, le=50)
    seed: int = Field(default=0, ge=0, lt=2**63)
    after: str | None = Field(default=None, min_length=1, description="audit to go on from")
    annotators: list[Reader] = Field(default=[], max_length=100)
    double: float = Field(default=0.0, ge=0, le=1, description="share of items read twice")


class Drawn(BaseModel):
    """An audit's design, and how far it is read."""

    id: str
    design: Design
    items: int = Field(description="texts to read")
    answered: int = Field(description="of them, those that anybody has answered")
    labelled: bool = Field(description="whether enough is answered for each label to have a share")
    current: bool = Field(description="whether the tags are still those that it was drawn from")


class Audits(BaseModel):
    """The audits in the tag folder, by name."""

    audits: list[Drawn]


class Next(BaseModel):
    """The next items for a reader, as rows of a labelling file; none when all are read."""

    items: list[dict[str, Any]]
    total: int = Field(description="items for this reader, answered or not")
    answered: int = Field(description="of them, those that this reader has answered")
    left: int = Field(description="of them, those that this reader has not, these ones too")


class LabelsBody(BaseModel):
    """Answered items, in the form of a labelling file's rows."""

    model_config = ConfigDict(extra="forbid")
    labels: list[dict[str, Any]] = Field(min_length=1, max_length=1000)


class Imported(BaseModel):
    """What became of some labels; `bad` has a line for each that is not kept."""

    kept: int
    known: int
    empty: int
    bad: list[str]
    notes: list[str]


class Report(BaseModel):
    """The rows of `narrascope audit report`, each with its `section`."""

    rows: list[dict[str, Any]]


@router.post("/audits", status_code=201, response_model=Drawn, responses=ACCEPTED)
def post_audit(
    body: Wish, service: ServiceOf, cursor_over: Cursor, request: Request, prefer: Prefer = None
) -> Drawn | JSONResponse:
    """Draw an audit from what the tag folder keeps; the corpus is not read.

    It is drawn at once from up to a million tag rows, else by a worker.
    """
    wish = body.model_dump()
    if prefers_job(prefer) or service.is_long(cursor_over):
        # The name is settled now, so that a second try finds what the first has drawn.
        name = check_name(service.folder, body.name or f"audit-{uuid4().hex[:12]}")
        identity = body.model_dump_json()
        return accept(service, request, "audit", wish | {"name": name}, identity=identity)
    with _writing:
        audit = draw_once(service.folder, cursor_over, wish)
    return _drawn(audit, audit.design.tags_digest)


@router.get("/audits")
def get_audits(service: ServiceOf, reading: Reading) -> Audits:
    """List the audits of the tag folder, and how far each is read."""
    tags = service.tags_digest(reading[1])
    return Audits(audits=[_drawn(audit, tags) for audit in read_audits(service.folder)])


@router.get("/audits/{audit_id}/next", responses=_MISSING)
def get_next(
    audit_id: str,
    service: ServiceOf,
    annotator: Annotated[str, Query(min_length=1, max_length=100)],
    limit: Annotated[int, Query(ge=1, le=100, description="items at once")] = 1,
    blind: Annotated[bool, Query(description="without evidence and probabilities")] = False,
) -> Next:
    """Return the next items that a reader has not answered; the adjudicator gets what is open."""
    audit = _find(service, audit_id)
    read = {item for item, records in latest_records(audit).items() if annotator in records}
    if annotator == ADJUDICATOR:
        wanted = {row["id"] for row in open_items(audit)}
        answered = read - wanted
    else:
        items = audit.items.select(["id", "annotators"]).to_pylist()
        own = {i["id"] for i in items if annotator in (i["annotators"] or [annotator])}
        wanted, answered = own - read, own & read
    rows = {row["id"]: row for row in labelling_rows(audit, blind=blind) if row["id"] in wanted}
    items = [row | {"annotator": annotator} for row in rows.values()]
    return Next(
        items=items[:limit], total=len(answered) + len(wanted), answered=len(answered),
        left=len(wanted),
    )  # fmt: skip


@router.post("/audits/{audit_id}/labels", responses=_MISSING)
def post_labels(audit_id: str, body: LabelsBody, service: ServiceOf) -> Imported:
    """Keep answers; the good ones are kept whatever the others are. Send many at a time."""
    _find(service, audit_id)
    records = [
        (f"labels/{place}", {**record, "audit": audit_id})
        for place, record in enumerate(body.labels)
    ]
    with _writing:
        found = keep_records(service.folder, records)
    return Imported(
        kept=sum(found.kept.values()), known=found.known, empty=found.empty, bad=found.bad,
        notes=found.notes,
    )  # fmt: skip


@router.get("/audits/{audit_id}/report", responses=_MISSING)
def get_report(
    audit_id: str,
    service: ServiceOf,
    cursor_over: Cursor,
    width: Annotated[
        float | None, Query(gt=0, lt=1, description="width of interval to plan for")
    ] = None,
) -> Report:
    """Return shares with intervals, precision and recall, reliability, agreement, what is left."""
    # Imported when it is first needed: scikit-learn takes seconds to import.
    from ..store.audit_report import report

    _find(service, audit_id)
    rows = report(
        cursor_over, service.folder, name=audit_id, width=width,
        thresholds=service.thresholds or default_thresholds(service.models),
    )  # fmt: skip
    return Report(rows=rows)


def _find(service: Service, audit_id: str) -> Audit:
    """Read an audit; its name is looked up in the folder's own before it comes near a path."""
    if audit_id not in audit_names(service.folder):
        raise HTTPException(404, f"no audit {audit_id[:100]!r}: /v1/audits lists them")
    return read_audit(service.folder, audit_id)


def _drawn(audit: Audit, tags: str) -> Drawn:
    answered, labelled = how_far(audit)
    return Drawn(
        id=audit.design.name, design=audit.design, items=audit.items.num_rows, answered=answered,
        labelled=labelled, current=audit.design.tags_digest == tags,
    )  # fmt: skip
