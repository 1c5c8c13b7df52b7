"""Whether a manifest may be applied to a source: its takedown list, its shards, their format."""

from ..errors import ManifestError, NarrascopeError, one_line
from ..manifests.manifest import Manifest
from ..manifests.takedown import read_takedown, takedown_digest
from ..store.folder import TagFolder
from .parts import Part, source_root


def check_takedown(manifest: Manifest) -> tuple[str, ...]:
    """Return notes on the tag folder's takedown list, against which a manifest is held.

    Raises:
        ManifestError: the list has grown since the manifest was built, or is damaged.
    """
    try:
        folder = TagFolder(manifest.tags)
        if not folder.filesystem.exists(folder.root):
            raise FileNotFoundError(f"no folder at {manifest.tags}")
        standing = read_takedown(folder)
    except ManifestError:
        raise
    except (NarrascopeError, OSError) as error:
        return (
            f"the tag folder {manifest.tags} could not be reached ({one_line(error)}): whether its "
            "takedown list has grown since the manifest was built is not known",
        )
    if takedown_digest(standing) == manifest.takedown_digest:
        return ()
    held = manifest.read_takedown().to_pylist()
    if grown := [entry for entry in standing.to_pylist() if entry not in held]:
        raise ManifestError(
            f"the takedown list of {manifest.tags} has grown by {len(grown)} entries since "
            f"{manifest.folder} was built: build the manifest again"
        )
    return (
        f"the takedown list of {manifest.tags} has lost entries since the manifest was built: the "
        "manifest's own list was used",
    )


def root_above(manifest: Manifest, source: str) -> str | None:
    """Return the manifest's root where a source lies in it, else None."""
    folder = source_root(source)
    inside = folder == manifest.root or folder.startswith(manifest.root.rstrip("/") + "/")
    return manifest.root if inside else None


def refuse_warc(parts: list[Part]) -> None:
    """Raise ManifestError where a source holds WARC."""
    if warc := next((part.shard.name for part in parts if part.shard.format == "warc"), None):
        raise ManifestError(
            f"{warc} is WARC, which no trainer reads: extract its text to Parquet or JSON lines, "
            "scan that and reweigh it, or give a SOURCE without it"
        )


def match_shards(manifest: Manifest, parts: list[Part]) -> tuple[list[str], list[str]]:
    """Return the shards that only the source and only the manifest knows, each sorted.

    Raises:
        ManifestError: they share none, or a shard was rewritten since its scan.
    """
    known = {row["shard"]: row["input_digest"] for row in manifest.read_shards().to_pylist()}
    shards = {part.shard.name: part.shard for part in parts}
    if not (shared := shards.keys() & known.keys()):
        raise ManifestError(
            f"no shard of the source is in the manifest, whose shards are named from "
            f"{manifest.root}: give its source or a --root, or match by doc_id or text_hash"
        )
    for name in sorted(shared):
        if shards[name].digest != known[name]:
            raise ManifestError(
                f"{name} was rewritten since its scan: scan it again and build the manifest anew, "
                "or use --match doc_id or text_hash"
            )
    return sorted(shards.keys() - known.keys()), sorted(known.keys() - shards.keys())
