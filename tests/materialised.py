"""The literal corpus of `tag_folder`, row by row, and bucket shards written from it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from narrascope.manifests.assign import Mode
from narrascope.manifests.build import build_manifest
from narrascope.manifests.manifest import Manifest
from narrascope.manifests.policy_file import check_policy
from narrascope.manifests.reweighed import Reweighed, Written, save_reweighed
from narrascope.store.catalogue import open_catalogue
from narrascope.tests.tag_folder import PARTS, publish_corpus

BUCKETS = [
    {"name": "dark", "where": "malevolent > 0.6 and malevolent_stance != 'refuted'", "weight": 0.5},
    {"name": "kind", "where": "benevolent >= 0.9", "weight": 2.5},
    {"name": "forum", "where": "domain == 'forum.example'", "action": "drop"},
]  # fmt: skip
"""Of the twenty documents: two dark, one kind, three more of the forum, and fourteen others."""


def build(tmp_path: Path, buckets: list[dict] = BUCKETS) -> Manifest:
    """Build the manifest of the literal corpus in `tmp_path / "m"`."""
    policy = check_policy({"version": 1, "seed": 3, "buckets": buckets, "keep_total": False})
    folder = publish_corpus(str(tmp_path / "tags"))
    with open_catalogue(folder) as connection:
        return build_manifest(folder, connection, policy, out=tmp_path / "m")


def documents(shard: str, first_row: int) -> pa.Table:
    """Return every document of a part: tagged ones as they are, others as counted."""
    end_row, tags, counts = next(p[2:] for p in PARTS if p[:2] == (shard, first_row))
    rows = {tag["row"]: tag for tag in tags}
    free = [row for row in range(first_row, end_row) if row not in rows]
    for source, month, domain, number, *_ in counts:
        group = {"source": source, "month": month, "domain": domain}
        tagged = sum(group.items() <= tag.items() for tag in tags)
        for row in free[: number - tagged]:
            rows[row] = group | {"row": row, "doc_id": f"{shard}-{row}", "text_hash": row,
                                 "bytes": 10, "tokens": 2, "language": None}  # fmt: skip
        free = free[number - tagged :]
    columns = ("row", "doc_id", "source", "domain", "month", "language", "bytes", "tokens")
    table = pa.Table.from_pylist([{c: rows[r][c] for c in columns} for r in sorted(rows)])
    hashes = pa.array([rows[r]["text_hash"] for r in sorted(rows)], pa.uint64())
    return table.append_column("text_hash", hashes)


def materialise(manifest: Manifest, out: Path, mode: Mode) -> Reweighed:
    """Write bucket shards as `reweigh` does, with texts such as `web.jsonl 4`."""
    assignment = manifest.assignment()
    written = []
    for shard, first_row, end_row, *_ in PARTS:
        table = documents(shard, first_row)
        rows = table["row"].to_numpy()
        buckets = assignment.buckets(table, shard=shard, first_row=first_row, end_row=end_row)
        copies = assignment.copies(rows, buckets, shard=shard, first_row=first_row, mode=mode)
        for index, bucket in enumerate(manifest.partition.names):
            here = buckets == index
            if not here.any():
                continue
            texts = [f"{shard} {row}" for row in np.repeat(rows[here], copies[here])]
            path = f"{bucket}/{shard.removesuffix('.parquet')}.{first_row}.parquet"
            if texts:
                (out / path).parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(pa.table({"text": texts}), out / path)
            written.append(
                Written(
                    shard=shard, first_row=first_row, end_row=end_row, bucket=bucket,
                    matched=int(here.sum()), documents=len(texts),
                    bytes=sum(len(text) for text in texts), tokens=None,
                    path=path if texts else None,
                )
            )  # fmt: skip
    record = Reweighed(
        manifest=manifest.id, mode=mode, source="/corpus", written=tuple(written), folder=out
    )
    save_reweighed(record, manifest)
    return record
