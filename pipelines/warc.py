"""WARC and WET: response, resource and conversion records with a text payload."""

from collections.abc import Iterator

from warcio.archiveiterator import ArchiveIterator
from warcio.recordloader import ArcWarcRecord

from ..errors import SourceError
from .batches import Batch, BatchBuilder, Columns
from .jsonl import open_unpacked
from .parts import Part

_DOCUMENTS = {"response", "resource", "conversion"}
_HTML = ("text/html", "application/xhtml+xml")
_HEADERS = {
    "doc_id": "WARC-Record-ID",
    "url": "WARC-Target-URI",
    "date": "WARC-Date",
    "language": "WARC-Identified-Content-Language",
}


def read_warc(part: Part, columns: Columns) -> Iterator[Batch]:
    """Read the records of a WARC or WET file; `row` is a record's ordinal among all records.

    The text of an HTML record is its whole payload, marked `html`: the gate looks at it before the
    text is extracted, since most pages never need extracting. Bytes are payload bytes. Column names
    have no meaning here: url, date, id and language come from the record's headers.

    Raises:
        SourceError: the file holds no WARC record.
    """
    builder = BatchBuilder(_HEADERS)
    with open_unpacked(part.shard.path) as stream:
        for record in ArchiveIterator(stream):
            if record.format != "warc":
                raise SourceError(f"{part.shard.name} holds no WARC record at {builder.next_row}")
            kind = _content_type(record)
            if record.rec_type not in _DOCUMENTS or not kind.startswith(("text/", *_HTML)):
                builder.skip(unreadable=False)
                continue
            payload = record.content_stream().read()
            if _is_cut(record):
                raise SourceError(f"record {builder.next_row} of {part.shard.name} is cut short")
            text, clean = _decode(payload, record)
            builder.invalid_utf8 += not clean
            builder.add(text, _headers(record), len(payload), kind in _HTML)
            if builder.is_full:
                yield builder.take()
    if builder.next_row == 0:
        raise SourceError(f"{part.shard.name} holds no WARC record: is it torn, or another format?")
    yield builder.take()


def extract_text(html: str) -> str:
    """Return the readable text of a page: its main content, or all of it where none is found."""
    import trafilatura  # a scan of anything but HTML starts sooner without

    return trafilatura.extract(html, include_comments=True, favor_recall=True) or (
        trafilatura.html2txt(html) or ""
    )


def _content_type(record: ArcWarcRecord) -> str:
    headers = record.http_headers if record.rec_type == "response" else record.rec_headers
    value = headers.get_header("Content-Type") if headers is not None else None
    return (value or "").split(";")[0].strip().lower()


def _is_cut(record: ArcWarcRecord) -> bool:
    """Whether the file ends before the record does, whose payload has been read."""
    record.raw_stream.read()  # what a decoder of the payload left over
    return getattr(record.raw_stream, "limit", 0) > 0


def _headers(record: ArcWarcRecord) -> list[str | None]:
    values = [record.rec_headers.get_header(header) for header in _HEADERS.values()]
    return [*values[:-1], (values[-1] or "").split(",")[0] or None]


def _decode(payload: bytes, record: ArcWarcRecord) -> tuple[bytes, bool]:
    """Return the payload as UTF-8, and whether all of it could be decoded."""
    headers = record.http_headers
    declared = (headers.get_header("Content-Type") if headers is not None else None) or ""
    _, _, charset = declared.lower().partition("charset=")
    for encoding in dict.fromkeys(("utf-8", charset.split(";")[0].strip("\"' "))):
        try:
            return payload.decode(encoding).encode(), True
        except (UnicodeDecodeError, LookupError):
            continue
    return payload.decode("utf-8", errors="replace").encode(), False
