"""Documents of a tag folder: listed by score, and read with their passages and evidence."""

import base64
import binascii
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import duckdb
import orjson
import xxhash
from pydantic import Field, TypeAdapter

from ..errors import SettingsError
from ..labels.tag import TAGS
from ..labels.taxonomy import BEHAVIOURS, GENRES, LABELS, PORTRAYALS, STANCES, Label
from .floors import at_least, floors
from .folder import TagFolder
from .passages import LOOKED_AT, add_passages, search_evidence
from .where import Condition

MAX_LIMIT = 100
"""How many documents one page holds at most."""

_COLUMNS = ", ".join(f'"{field.name}"' for field in TAGS if field.name != "passages")
_POSITION = TypeAdapter(
    tuple[
        str,
        Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)],
        str,
        Annotated[int, Field(ge=0, lt=2**63)],
    ]
)
MAX_TEXT = 200
"""How long a text may be that is looked for in evidence, in code points."""

_EQUAL = ("genre", "source", "domain", "month", "shard")
_ANY_PORTRAYAL = f"greatest({', '.join(PORTRAYALS)})"


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which documents are asked for; a field that is None asks nothing.

    Scores are the document's probability of `label`, or without one the highest of the three
    portrayals; `stance` is that of `label`, or without one of any label. `text` is looked for in
    the spans of evidence, whatever its case; the catalogue has them not, so `sql` leaves it out.
    """

    label: Label | None = None
    min_score: float | None = None
    max_score: float | None = None
    stance: str | None = None
    genre: str | None = None
    behaviour: str | None = None
    source: str | None = None
    domain: str | None = None
    month: str | None = None
    shard: str | None = None
    where: Condition | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        known = {
            "label": LABELS, "stance": STANCES, "genre": GENRES, "behaviour": BEHAVIOURS,
        }  # fmt: skip
        for name, choices in known.items():
            if (value := getattr(self, name)) is not None and value not in choices:
                raise SettingsError(f"no {name} {value!r}: choose from {', '.join(choices)}")
        if self.text is not None and not 1 <= len(self.text) <= MAX_TEXT:
            raise SettingsError(
                f"a text of {len(self.text)} characters: look for 1 to {MAX_TEXT} of them"
            )

    def digest(self) -> str:
        """Return what a cursor is bound to: the same filters give the same 8 characters."""
        asked = {**asdict(self), "where": str(self.where) if self.where else None}
        return xxhash.xxh3_64_hexdigest(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS))[:8]

    def score(self) -> str:
        """Return the SQL of the score that orders documents; -1 where no verdict ran."""
        return f"coalesce({self.label or _ANY_PORTRAYAL}, -1)"

    def sql(self) -> tuple[str, list[Any]]:
        """Return a DuckDB boolean expression with `?` parameters, and what to bind to them."""
        tests: list[tuple[str, Any]] = [
            (f"{self.score()} <= ?", self.max_score),
            ("list_contains(behaviours, ?)", self.behaviour),
            *((f"{column} = ?", getattr(self, column)) for column in _EQUAL),
        ]
        stances = [f"{label}_stance" for label in ((self.label,) if self.label else LABELS)]
        tests.append((f"? IN ({', '.join(stances)})", self.stance))
        asked = [(test, value) for test, value in tests if value is not None]
        terms, bound = [test for test, _ in asked], [value for _, value in asked]
        if self.min_score is not None:
            labels = (self.label,) if self.label else PORTRAYALS
            terms.append(at_least(labels))
            bound += [self.min_score] * len(labels)
        if self.where:
            condition, more = self.where.sql()
            terms.append(f"({condition})")
            bound += more
        return " AND ".join(terms) or "true", bound


@dataclass(frozen=True)
class Page:
    """Some documents, how many there are in all, and the cursor of the next page if any.

    `total` is None where only reading all passages would tell.
    """

    documents: list[dict[str, Any]]
    total: int | None
    next: str | None


def list_documents(
    connection: duckdb.DuckDBPyConnection,
    folder: TagFolder,
    *,
    filters: Filters = Filters(),
    cursor: str | None = None,
    limit: int = 20,
    passages: bool = False,
    total: int | None = None,
) -> Page:
    """Return a page of candidate documents, the highest score first, then by shard and row.

    Each document is a dict of the tag columns, `text_hash` as 16 hexadecimal digits; with
    `passages` also its passages, read from the tag files. A search for `filters.text` reads them
    too, of at most 1,000 documents and 20 tag files a page, so a page may hold fewer documents than
    the limit, or none, and have a next.

    Args:
        connection: a catalogue, as `open_catalogue` returns it.
        folder: the tag folder of that catalogue.
        filters: which documents.
        cursor: `Page.next` of the page before, under the same filters.
        limit: how many documents, from 1 to 100.
        passages: whether to read the passages.
        total: how many there are in all, where that is known; counting them takes as long as
            finding the highest.

    Raises:
        SettingsError: the limit is out of range, or the cursor is not one of these filters.
        TagsError: a tag file that the passages are in cannot be read.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise SettingsError(f"limit {limit} is out of range: choose from 1 to {MAX_LIMIT}")
    condition, bound = filters.sql()
    score = filters.score()
    after, position = "true", []
    if cursor is not None:
        s, shard, row = position = _decode(cursor, filters.digest())
        after = f"({score} < ? OR ({score} = ? AND (shard > ? OR (shard = ? AND row > ?))))"
        position = [s, s, shard, shard, row]
    looked_at = limit if filters.text is None else LOOKED_AT
    if total is None:
        total = count_documents(connection, filters)
    everything = count_documents(connection, Filters())
    found: list[dict[str, Any]] = []
    for above in floors(
        connection, filters.label, wanted=looked_at + 1, share=total / max(everything, 1),
        highest=position[0] if position else filters.max_score,
    ):  # fmt: skip
        found = _fetch(
            connection,
            f"SELECT {_COLUMNS}, first_row, {score} AS score FROM documents "  # noqa: S608
            f"WHERE {above} AND {condition} AND {after} ORDER BY score DESC, shard, row LIMIT ?",
            [*bound, *position, looked_at + 1],
        )
        if len(found) > looked_at:
            break
    page = found[:looked_at]
    if filters.text is None:
        if passages:
            add_passages(folder, page)
    else:
        total = None
        page, looked_at = search_evidence(folder, page, filters.text, limit=limit)
    last = None
    if len(found) > looked_at:
        end = found[looked_at - 1]
        last = _encode(end["score"], end["shard"], end["row"], filters.digest())
    shown = [_presented(document, passages=passages) for document in page]
    return Page(shown, total, last)


def count_documents(connection: duckdb.DuckDBPyConnection, filters: Filters) -> int:
    """Return how many documents filters take, but for `text`, which only passages tell of."""
    condition, bound = filters.sql()
    query = f"SELECT count(*) FROM documents WHERE {condition}"  # noqa: S608
    return connection.execute(query, bound).fetchall()[0][0]


def get_document(
    connection: duckdb.DuckDBPyConnection, folder: TagFolder, shard: str, row: int
) -> dict[str, Any] | None:
    """Return a candidate document with its passages, or None where there is no such tag row.

    Raises:
        TagsError: the tag file that the document is in cannot be read.
    """
    if not 0 <= row < 2**63:
        return None
    found = _fetch(
        connection,
        f"SELECT {_COLUMNS}, first_row FROM documents WHERE shard = ? AND row = ?",  # noqa: S608
        [shard, row],
    )
    if not found:
        return None
    add_passages(folder, found)
    return _presented(found[0], passages=True)


def _fetch(
    connection: duckdb.DuckDBPyConnection, query: str, bound: list[Any]
) -> list[dict[str, Any]]:
    result = connection.execute(query, bound)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def _presented(document: dict[str, Any], *, passages: bool) -> dict[str, Any]:
    hidden = {"first_row", "score"} | (set() if passages else {"passages"})
    shown = {k: v for k, v in document.items() if k not in hidden}
    return {**shown, "text_hash": f"{document['text_hash']:016x}"}


def _encode(score: float, shard: str, row: int, digest: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([digest, score, shard, row])).decode().rstrip("=")


def _decode(cursor: str, digest: str) -> tuple[float, str, int]:
    """Return (score, shard, row) of a cursor.

    Raises:
        SettingsError: it is damaged, or was given out for other filters.
    """
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        made_for, score, shard, row = _POSITION.validate_json(data)
    except (binascii.Error, ValueError) as error:
        raise SettingsError(
            f"cursor {cursor[:40]!r} is damaged: use `next` of the page before, or leave it out"
        ) from error
    if made_for != digest:
        raise SettingsError(
            f"cursor {cursor[:40]!r} was given out for other filters: leave it out to start anew"
        )
    return score, shard, row
