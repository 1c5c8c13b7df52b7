"""`GET /v1/documents`: which documents, with their passages and evidence."""

from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, HTTPException, Query, Request, Response

from ..labels.tag import TAGS
from ..labels.taxonomy import Behaviour, Genre, Label, Stance
from ..store.documents import MAX_LIMIT, MAX_TEXT, Filters, get_document
from ..store.where import parse_where
from .access import Caller, CallerOf, needs, require
from .conditional import UNCHANGED, ValidatorOf
from .problems import Problem
from .schemas import Documents, OneDocument
from .service import Cursor, Reading, Service, ServiceOf
from .tabular import CSV, JSON, TABLE, Form, give

router = APIRouter(prefix="/v1", tags=["documents"], dependencies=[needs("read")])

COLUMNS = pa.schema(
    [pa.field("text_hash", pa.string()) if f.name == "text_hash" else f for f in TAGS]
)
"""Columns of the documents as a table; those of the tag rows, the hash as 16 digits."""

Score = Annotated[float | None, Query(ge=0, le=1)]
Text = Annotated[str | None, Query(max_length=500)]


@router.get(
    "/documents",
    response_model=Documents,
    response_model_exclude_unset=True,
    responses=TABLE | UNCHANGED,
)
def get_documents(
    request: Request,
    service: ServiceOf,
    form: Form,
    reading: Reading,
    caller: CallerOf,
    validator: ValidatorOf,
    label: Annotated[
        Label | None, Query(description="order by this label; else by the highest portrayal")
    ] = None,
    min_score: Annotated[Score, Query(description="lowest score of the label")] = None,
    max_score: Annotated[Score, Query(description="highest score of the label")] = None,
    stance: Annotated[Stance | None, Query(description="of the label; else of any")] = None,
    genre: Genre | None = None,
    behaviour: Behaviour | None = None,
    source: Text = None,
    domain: Text = None,
    month: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}$", examples=["2024-05"])] = None,
    shard: Annotated[str | None, Query(max_length=2000)] = None,
    where: Annotated[
        str | None,
        Query(description="a condition as in policies", examples=["bytes > 2000"], max_length=2000),
    ] = None,
    text: Annotated[
        str | None,
        Query(
            description="what a span of evidence holds, in any case",
            min_length=1,
            max_length=MAX_TEXT,
        ),
    ] = None,
    cursor: Annotated[
        str | None, Query(description="`next` of the page before", max_length=4000)
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
    passages: Annotated[bool, Query(description="include passages and evidence")] = False,
) -> dict[str, Any] | Response:
    """List candidate documents, the highest score first.

    As a table (CSV, Arrow, Parquet) the headers `Link`, with `rel="next"`, `X-Total-Count` and
    `X-Thresholds` have the rest; CSV has no passages.

    With `text` a page looks at 1,000 documents or 20 tag files at most: it may hold fewer documents
    than `limit`, or none, and yet have a `next`; `total` is null.
    """
    if form == CSV and passages:
        raise HTTPException(406, "passages are nested, CSV is not: accept Arrow or Parquet")
    if text is not None and not service.shows_text(caller):
        require(caller, "text")
    if unchanged := validator.unchanged():
        return unchanged
    filters = Filters(
        label=label, min_score=min_score, max_score=max_score, stance=stance, genre=genre,
        behaviour=behaviour, source=source, domain=domain, month=month, shard=shard,
        where=parse_where(where) if where else None, text=text,
    )  # fmt: skip
    page = service.documents(reading, filters, cursor=cursor, limit=limit, passages=passages)
    for document in page.documents:
        _withhold(document, service, caller)
    if form != JSON:
        headers = {"ETag": validator.tag, "X-Thresholds": service.thresholds_header()}
        if page.total is not None:
            headers["X-Total-Count"] = str(page.total)
        if page.next:
            onward = request.url.include_query_params(cursor=page.next)
            headers["Link"] = f'<{onward.path}?{onward.query}>; rel="next"'
        schema = COLUMNS if passages else pa.schema(f for f in COLUMNS if f.name != "passages")
        return give(page.documents, schema, form, headers)
    return {
        "documents": page.documents, "total": page.total, "next": page.next,
        "thresholds": service.flagged_from(),
    }  # fmt: skip


@router.get(
    "/documents/{key:path}",
    response_model=OneDocument,
    responses={404: {"model": Problem, "description": "No tag row has this key."}, **UNCHANGED},
)
def get_one_document(
    key: str,
    service: ServiceOf,
    cursor_over: Cursor,
    caller: CallerOf,
    validator: ValidatorOf,
) -> dict[str, Any] | Response:
    """Return one document with its passages.

    The key is `<shard>#<row>`, percent-encoded: row 3 of `web/a.jsonl` is `web%2Fa.jsonl%233`.
    """
    shard, mark, row = key.rpartition("#")
    # Longer numbers than any row has would be refused by the catalogue, not merely not found.
    if not mark or not row.isascii() or not row.isdigit() or len(row) > 18:
        raise HTTPException(
            404, f"{key[:200]!r} is no key: write <shard>#<row>, percent-encoded (# is %23)"
        )
    document = get_document(cursor_over, service.folder, shard, int(row))
    if document is None:
        raise HTTPException(
            404,
            f"no tag row for {key[:200]!r}: only candidates have one; /v1/documents lists them",
        )
    if unchanged := validator.unchanged():
        return unchanged
    _withhold(document, service, caller)
    return document | {"thresholds": service.flagged_from()}


def _withhold(document: dict[str, Any], service: Service, caller: Caller) -> None:
    """Take the text out of a document's passages where its reader may not see it."""
    if not service.shows_text(caller):
        for passage in document.get("passages", ()):
            passage["text"] = None
