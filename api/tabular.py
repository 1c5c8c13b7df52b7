"""Tables in the form that a request prefers: JSON, CSV, an Arrow stream or Parquet."""

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Annotated, Any

import mimeparse
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from fastapi import Depends, HTTPException, Request, Response

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"

_JOINED = "|"


def _csv(table: pa.Table, sink: BytesIO) -> None:
    pyarrow.csv.write_csv(_flat(table), sink)


def _arrow(table: pa.Table, sink: BytesIO) -> None:
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)


def _parquet(table: pa.Table, sink: BytesIO) -> None:
    pq.write_table(table, sink, compression="zstd")


_WRITERS: dict[str, Callable[[pa.Table, BytesIO], None]] = {
    PARQUET: _parquet,
    ARROW: _arrow,
    CSV: _csv,
}

TABLE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {form: {"schema": {"type": "string", "format": "binary"}} for form in _WRITERS},
        "description": "The rows; `Accept` says in which form",
    },
    406: {"description": "No form that is accepted can be given."},
}
"""What the reference says of a route that gives tables."""


def form_of(request: Request, response: Response) -> str:
    """Return the media type that a request prefers; JSON where it has no preference.

    Raises:
        HTTPException: 406, it accepts none that there is.
    """
    response.headers["Vary"] = "Accept"
    accepted = request.headers.get("accept") or "*/*"
    try:
        # Of those that are accepted alike it takes the last.
        form = mimeparse.best_match([*_WRITERS, JSON], accepted)
    except mimeparse.MimeTypeParseException:
        form = ""
    if not form:
        choices = ", ".join([JSON, *_WRITERS])
        raise HTTPException(406, f"Accept {accepted[:100]!r}: choose from {choices}")
    return form


Form = Annotated[str, Depends(form_of)]


def give(
    rows: Iterable[Mapping[str, Any]], schema: pa.Schema, form: str, headers: Mapping[str, str]
) -> Response:
    """Return rows as a table in a form other than JSON.

    CSV has lists joined by `|`, and no nested columns.

    Args:
        rows: the rows; columns that a row lacks are null.
        schema: of the table.
        form: the media type, as `form_of` returns it.
        headers: what the JSON answer says beside its rows.
    """
    sink = BytesIO()
    _WRITERS[form](pa.Table.from_pylist(list(rows), schema), sink)
    return Response(sink.getvalue(), media_type=form, headers={**headers, "Vary": "Accept"})


def _flat(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            column = pa.array([_joined(value) for value in table[field.name].to_pylist()])
            table = table.set_column(index, field.name, column.cast(pa.string()))
    return table


def _joined(values: list[str] | None) -> str | None:
    return None if values is None else _JOINED.join(values)
