"""`POST /v1/score`: the cascade on texts that a request brings."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..labels.taxonomy import Behaviour, Genre, Label, Stance
from .access import needs
from .schemas import Evidence
from .service import ServiceOf

MAX_TEXTS = 100
MAX_TEXT_BYTES = 200_000

router = APIRouter(prefix="/v1", tags=["score"], dependencies=[needs("score")])


class Text(BaseModel):
    """A text to score."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(default="", max_length=500, description="comes back with the scores")
    text: str


class Texts(BaseModel):
    """Texts to score: at most 100, and 200,000 bytes of UTF-8 together."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"documents": [{"id": "a", "text": "The engine begged them not to turn it off."}]}
            ]
        },
    )
    documents: list[Text] = Field(min_length=1, max_length=MAX_TEXTS)

    @model_validator(mode="after")
    def _within_limits(self) -> "Texts":
        size = sum(len(document.text.encode()) for document in self.documents)
        if size > MAX_TEXT_BYTES:
            raise ValueError(
                f"the texts have {size:,} bytes together, over {MAX_TEXT_BYTES:,}: send fewer at a "
                "time, or scan a file with `narrascope score --input`"
            )
        return self


class Score(BaseModel):
    """What the cascade says of one text."""

    id: str
    ai_agent: float = Field(description="probability, as are the next three")
    malevolent: float
    self_preserving: float
    benevolent: float
    labels: list[Label] = Field(description="labels at or over their default thresholds")
    stance: Stance | None
    genre: Genre | None
    behaviours: list[Behaviour]
    evidence: list[Evidence] = Field(description="spans in code points of the text")  # type: ignore[valid-type]
    stage: str = Field(description="the last that ran: gate, screen or verdict")


class Scores(BaseModel):
    """The scores, in the order of the texts."""

    results: list[Score]


@router.post("/score", response_model=Scores)
def post_score(texts: Texts, service: ServiceOf) -> dict[str, Any]:
    """Score texts with the models that the service runs; nothing is kept."""
    return {"results": service.score(document.model_dump() for document in texts.documents)}
