"""`GET /v1/prevalence`: how much of the corpus carries each label, and where."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from ..labels.taxonomy import Label
from ..store.prevalence import By, Estimator, Unit
from ..store.where import parse_where
from .schemas import Prevalence
from .service import ServiceOf

Text = Annotated[str | None, Query(max_length=500)]

router = APIRouter(prefix="/v1", tags=["prevalence"])


@router.get("/prevalence", response_model=Prevalence)
def get_prevalence(
    service: ServiceOf,
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
    where: Annotated[
        str | None,
        Query(description="only these documents", examples=["source = 'novels'"], max_length=2000),
    ] = None,
    source: Text = None,
    domain: Text = None,
    month: Text = None,
    language: Text = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="groups of each label")] = 1000,
) -> dict[str, Any]:
    """Return shares of the corpus by label and group, those with most counted first."""
    equal = {"source": source, "domain": domain, "month": month, "language": language}
    tests = [f"{k} = {_quoted(value)}" for k, value in equal.items() if value is not None]
    tests += [f"({parse_where(where)})"] if where else []
    rows, version = service.shares(
        label=label, by=by, unit=unit, estimator=estimator, where=" and ".join(tests) or None,
        limit=limit,
    )  # fmt: skip
    return {"rows": rows, "left_out": rows.left_out, "catalogue": version}


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
