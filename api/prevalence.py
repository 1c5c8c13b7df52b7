"""`GET /v1/prevalence`: how much of the corpus carries each label, and where."""

from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Query, Response

from ..labels.taxonomy import Label, Stance
from ..store.prevalence import By, Estimator, Unit
from ..store.where import parse_where
from .access import needs
from .conditional import UNCHANGED, ValidatorOf
from .schemas import Prevalence
from .service import Reading, ServiceOf
from .tabular import JSON, TABLE, Form, give

Text = Annotated[str | None, Query(max_length=500)]

SHARES = pa.schema(
    [
        *((name, pa.string()) for name in ("by", "group", "label", "estimator", "unit")),
        *((name, pa.float64()) for name in ("share", "low", "high", "numerator")),
        *((name, pa.int64()) for name in ("denominator", "n_audited")),
        ("note", pa.string()),
    ]
)
"""Columns of the shares as a table."""

router = APIRouter(prefix="/v1", tags=["prevalence"], dependencies=[needs("read")])


@router.get("/prevalence", response_model=Prevalence, responses=TABLE | UNCHANGED)
def get_prevalence(
    service: ServiceOf,
    reading: Reading,
    form: Form,
    validator: ValidatorOf,
    label: Annotated[Label | None, Query(description="one label; all four without it")] = None,
    by: Annotated[By | None, Query(description="group by this; without it, the whole")] = None,
    unit: Annotated[Unit, Query(description="what is counted")] = "documents",
    estimator: Annotated[
        Estimator,
        Query(
            description="`flagged`: a census; `expected`: a sum of probabilities; `audited`: from "
            "documents that were read, with intervals"
        ),
    ] = "flagged",
    stance: Annotated[
        Stance | None,
        Query(description="only those of this stance, refuted ones too; not if `audited`"),
    ] = None,
    where: Annotated[
        str | None,
        Query(description="only these documents", examples=["source = 'novels'"], max_length=2000),
    ] = None,
    source: Text = None,
    domain: Text = None,
    month: Text = None,
    language: Text = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="groups of each label")] = 1000,
) -> dict[str, Any] | Response:
    """Return shares of the corpus by label and group, those with most counted first.

    As a table (CSV, Arrow, Parquet) the headers `X-Left-Out`, `X-Catalogue` and `X-Thresholds` have
    the rest.
    """
    equal = {"source": source, "domain": domain, "month": month, "language": language}
    tests = [f"{k} = {_quoted(value)}" for k, value in equal.items() if value is not None]
    tests += [f"({parse_where(where)})"] if where else []
    headers = {"X-Catalogue": reading[1]}
    # An audit's labels may come in at any time, and change no catalogue.
    if estimator != "audited":
        if unchanged := validator.unchanged():
            return unchanged
        headers["ETag"] = validator.tag
    rows = service.shares(
        reading, label=label, by=by, unit=unit, estimator=estimator, stance=stance,
        where=" and ".join(tests) or None, limit=limit,
    )  # fmt: skip
    if form != JSON:
        headers |= {"X-Left-Out": str(rows.left_out), "X-Thresholds": service.thresholds_header()}
        return give(rows, SHARES, form, headers)
    return {
        "rows": rows, "left_out": rows.left_out, "thresholds": service.flagged_from(),
        "catalogue": reading[1],
    }  # fmt: skip


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
