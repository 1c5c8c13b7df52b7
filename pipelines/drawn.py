"""The texts of drawn documents, read from the corpus that was scanned."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import orjson
import pyarrow as pa
import xxhash

from ..errors import SourceError, one_line
from ..store.audits import Key
from ..store.folder import TagFolder
from ..store.receipts import require_receipts
from .batches import Columns
from .formats import read_part
from .parts import Part, list_corpus, plan_parts
from .warc import extract_text


def texts_of(
    folder: TagFolder, wanted: dict[Key, int], *, source: str | None = None
) -> dict[Key, str]:
    """Return the text of each document, reading only the parts of the corpus that hold one.

    Args:
        folder: the tag folder; its receipts say where the corpus is and how its columns are named.
        wanted: by shard and row, the xxh3_64 of the text that was scanned.
        source: where the corpus lies now; by default the root that was scanned.

    Raises:
        SourceError: the corpus cannot be read, or a document is missing or has changed.
    """
    receipts = require_receipts(folder).select(["root", "options", "format"]).to_pylist()
    formats = {receipt["format"] for receipt in receipts}
    source = source or receipts[0]["root"]
    columns = Columns(**orjson.loads(receipts[0]["options"])["columns"])
    corpus = list_corpus(source, format=formats.pop() if len(formats) == 1 else None)
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for shard, row in wanted:
        rows[shard].append(row)
    corpus.shards = [shard for shard in corpus.shards if shard.name in rows]
    texts: dict[Key, str] = {}
    for part in plan_parts(corpus, columns.text):
        name, first, end = part.shard.name, part.first_row, part.end_row
        here = [row for row in rows[name] if first <= row and (end is None or row < end)]
        if here:
            texts |= {(name, row): text for row, text in _of_part(part, columns, here)}
    for key, digest in wanted.items():
        if key not in texts or xxhash.xxh3_64_intdigest(texts[key].encode()) != digest:
            what = "has another text" if key in texts else "is not there"
            raise SourceError(
                f"{key[0]}#{key[1]} {what} at {source}: name the corpus as it "
                "was scanned with --source, or scan it again"
            )
    return texts


def _of_part(part: Part, columns: Columns, rows: list[int]) -> Iterable[tuple[int, str]]:
    try:
        for batch in read_part(part, columns):
            table = batch.table.select(["row", "text", "html"])
            here = np.isin(table["row"].to_numpy(), rows)
            table = table.filter(pa.array(here))
            data = table["text"].cast(pa.large_binary()).to_pylist()
            for row, text, html in zip(
                table["row"].to_pylist(), data, table["html"].to_pylist(), strict=True
            ):
                decoded = (text or b"").decode("utf-8", errors="replace")
                yield row, extract_text(decoded) if html else decoded
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{part.shard.name} cannot be read to its end ({one_line(error)}): mend the shard"
        ) from error
