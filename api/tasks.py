"""What a worker does for each kind of job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ManifestError
from ..manifests.reweighed import Reweighed
from ..store.catalogue import open_catalogue
from ..store.folder import TagFolder
from .building import build_once, draw_once, find_manifest, read_policy
from .places import Places
from .schemas import JobKind
from .taken import TakenJob
from .worker import Executor


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """The work on one tag folder; every piece may be begun again after it was killed.

    Args:
        folder: the tag folder.
        manifests: where its manifests lie.
        thresholds: by label, the probability from which a document is flagged.
        places: where a corpus may be read, and its shards written.
        reweigh: `pipelines.reweigh.reweigh`, which the service itself does without.
        processes: how many processes reweigh.
    """

    folder: TagFolder
    manifests: Path
    thresholds: Mapping[str, float] | None
    places: Places
    reweigh: Callable[..., Reweighed]
    processes: int = 1

    def executors(self) -> dict[JobKind, Executor]:
        """Return what does each kind of job."""
        return {"build": self._build, "audit": self._draw, "reweigh": self._reweigh}

    def _build(self, taken: TakenJob) -> dict[str, Any]:
        policy = read_policy(taken.job.arguments["policy"])
        with open_catalogue(self.folder) as catalogue:
            manifest, _ = build_once(
                self.folder, catalogue, policy, manifests=self.manifests,
                thresholds=self.thresholds, progress=taken.report,
            )  # fmt: skip
        return {"location": f"/v1/manifests/{manifest.id}", "manifest": manifest.id}

    def _draw(self, taken: TakenJob) -> dict[str, Any]:
        with open_catalogue(self.folder) as catalogue:
            audit = draw_once(
                self.folder, catalogue, taken.job.arguments, holder=taken.job.id,
                progress=taken.report,
            )  # fmt: skip
        name = audit.design.name
        return {"location": f"/v1/audits/{name}/report", "audit": name}

    def _reweigh(self, taken: TakenJob) -> dict[str, Any]:
        asked = taken.job.arguments
        manifest = find_manifest(self.manifests, asked["manifest"])
        if manifest is None:
            raise ManifestError(
                f"manifest {asked['manifest']} is no longer there: build it again, and then reweigh"
            )
        # Checked here too: the settings may be others than when it was asked for.
        source = self.places.source(asked["source"])
        root = self.places.source(asked["root"]) if asked["root"] else None
        out = self.places.output(manifest.id, f"{asked['mode']}-{asked['match']}")
        record = self.reweigh(
            manifest.folder, source, out, root=root, mode=asked["mode"], match=asked["match"],
            workers=self.processes, progress=taken.report,
        )  # fmt: skip
        return {
            "location": f"/v1/manifests/{manifest.id}",
            "manifest": manifest.id,
            "folder": str(out),
            "documents": sum(entry.documents for entry in record.written),
            "bytes": sum(entry.bytes for entry in record.written),
            "not_in_manifest": len(record.not_in_manifest),
            "not_in_source": len(record.not_in_source),
        }
