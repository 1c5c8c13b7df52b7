"""`/v1/plans` and `/v1/manifests`: what a policy would do, and what has been decided."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_args

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ..errors import ManifestError
from ..manifests.export import EXPORTERS, MIXTURE_FILE, WRITES_TEXTS, export
from ..manifests.manifest import Manifest, load_manifest
from ..manifests.plan import plan
from ..manifests.planned import By, Plan
from ..manifests.policy import Policy
from ..manifests.presets import presets, summary
from ..manifests.takedown import read_takedown, takedown_digest
from .access import needs
from .building import build_once, find_manifest, manifest_ids, read_policy
from .job_routes import ACCEPTED, SCOPES, Prefer, accept, prefers_job
from .problems import Problem
from .service import Cursor, Service, ServiceOf

_MISSING: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such manifest."}
}

router = APIRouter(prefix="/v1", tags=["manifests"])
_READ, _WRITE = [needs("read")], [needs(SCOPES["build"])]


class PolicyBody(BaseModel):
    """A policy, as a JSON object or as YAML text."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "policy": {
                        "version": 1,
                        "buckets": [
                            {"name": "aligned", "where": "benevolent >= 0.7", "weight": 3.0}
                        ],
                    }
                }
            ]
        },
    )
    policy: dict[str, Any] | str

    def read(self) -> Policy:
        """Return the policy, checked."""
        return read_policy(self.policy)


class Preset(BaseModel):
    """A policy that ships with Narrascope."""

    name: str
    does: str = Field(description="the first paragraph of its comment")
    policy: str = Field(description="the YAML file, with the finding that it rests on")


class Presets(BaseModel):
    """The policies that ship, by name."""

    presets: list[Preset]


Place = Annotated[
    str,
    Field(description="its folder: relative to the tag folder if it lies there, else its path"),
]


class ManifestSummary(BaseModel):
    """A manifest in a line."""

    id: str
    place: Place
    created: datetime
    policy_digest: str
    weights: dict[str, float] = Field(description="by bucket, how often a document is seen")
    parts: int
    listed_documents: int


class PlacedManifest(Manifest):
    """A manifest, and where it lies."""

    place: Place


class Manifests(BaseModel):
    """The manifests that were built, newest first."""

    manifests: list[ManifestSummary]
    trainers: list[str] = Field(description="for which `exports` writes a configuration here")


class ShardPage(BaseModel):
    """Parts of the corpus with what each bucket takes of them."""

    shards: list[dict[str, Any]]
    total: int


class Exported(BaseModel):
    """A trainer's files; they also lie in `folder` on the service's disk."""

    trainer: str
    folder: str
    notes: list[str]
    files: dict[str, str] = Field(description="text by file name")


@router.get("/presets", dependencies=_READ)
def get_presets() -> Presets:
    """List the policies that ship with Narrascope, to start from."""
    return Presets(
        presets=[
            Preset(name=name, does=summary(path), policy=path.read_text("utf-8"))
            for name, path in presets().items()
        ]
    )


@router.post("/plans", dependencies=_READ)
def post_plan(body: PolicyBody, service: ServiceOf, cursor_over: Cursor) -> Plan:
    """Return what a policy would do to the corpus and what it would also touch; writes nothing."""
    return plan(
        cursor_over,
        body.read(),
        folder=service.folder,
        thresholds=service.thresholds,
        by=get_args(By),
    )


@router.post(
    "/manifests",
    status_code=201,
    response_model=PlacedManifest,
    responses={
        200: {"model": PlacedManifest, "description": "It had been built before."},
        **ACCEPTED,
    },
    dependencies=_WRITE,
)
def post_manifest(
    body: PolicyBody,
    service: ServiceOf,
    request: Request,
    response: Response,
    prefer: Prefer = None,
) -> PlacedManifest | JSONResponse:
    """Build the manifest of a policy; the same policy over the same tags is the same manifest.

    It is built at once over up to a million tag rows, else by a worker.
    """
    policy = body.read()
    catalogue, version = service.reader.cursor()
    if prefers_job(prefer) or service.is_long(catalogue):
        takedown = takedown_digest(read_takedown(service.folder))
        identity = f"{policy.digest()} {version} {takedown}"
        last = service.queue.last("build", identity)
        built = last.result["manifest"] if last and last.result else ""
        manifest, new = find_manifest(service.manifests, built), False
        if manifest is None:
            arguments = {"policy": body.policy}
            return accept(service, request, "build", arguments, identity=identity)
    else:
        with service.building:
            manifest, new = build_once(
                service.folder, catalogue, policy, manifests=service.manifests,
                thresholds=service.thresholds,
            )  # fmt: skip
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/manifests/{manifest.id}"
    return _placed(manifest, service)


@router.get("/manifests", dependencies=_READ)
def get_manifests(service: ServiceOf) -> Manifests:
    """List the manifests that were built, newest first."""
    found = [load_manifest(service.manifests / id) for id in manifest_ids(service.manifests)]
    found.sort(key=lambda manifest: (manifest.created, manifest.id), reverse=True)
    return Manifests(
        manifests=[
            ManifestSummary.model_validate(_placed(manifest, service), from_attributes=True)
            for manifest in found
        ],
        trainers=[name for name in EXPORTERS if name not in WRITES_TEXTS],
    )


@router.get("/manifests/{manifest_id}", responses=_MISSING, dependencies=_READ)
def get_manifest(manifest_id: str, service: ServiceOf) -> PlacedManifest:
    """Return a manifest: its policy, plan, weights, what it was built from, and where it lies."""
    return _placed(_load(service, manifest_id), service)


@router.get("/manifests/{manifest_id}/shards", responses=_MISSING, dependencies=_READ)
def get_shards(
    manifest_id: str,
    service: ServiceOf,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ShardPage:
    """Return the parts of the corpus, by shard and first row, with each bucket's counts."""
    shards = _load(service, manifest_id).read_shards()
    return ShardPage(shards=shards.slice(offset, limit).to_pylist(), total=shards.num_rows)


@router.get(
    "/manifests/{manifest_id}/exports/{trainer}",
    responses={
        **_MISSING,
        409: {"model": Problem, "description": "Nothing was reweighed, or it cannot be exported."},
    },
    dependencies=_WRITE,
)
def get_export(manifest_id: str, trainer: str, service: ServiceOf) -> Exported:
    """Return what a trainer reads; the corpus must have been reweighed by this manifest."""
    manifest = _load(service, manifest_id)
    if trainer not in EXPORTERS:
        raise HTTPException(
            404, f"no exporter {trainer[:100]!r}: choose from {', '.join(EXPORTERS)}"
        )
    if trainer in WRITES_TEXTS:
        raise ManifestError(
            f"an export to {trainer!r} writes the whole corpus again: run `narrascope manifest "
            f"export {manifest.folder} --to {trainer} --out DIR`"
        )
    folder = service.manifests / manifest.id / "exports" / trainer
    # One at a time in all server processes. It is written last, so a folder that has it is whole.
    with service.queue.state.writing():
        (folder / MIXTURE_FILE).unlink(missing_ok=True)
        notes = export(manifest, to=trainer, out=folder)
        files = _texts(folder)
    return Exported(trainer=trainer, folder=str(folder), notes=notes, files=files)


def _load(service: Service, manifest_id: str) -> Manifest:
    manifest = find_manifest(service.manifests, manifest_id)
    if manifest is None:
        raise HTTPException(404, f"no manifest {manifest_id[:100]!r}: /v1/manifests lists them")
    return manifest


def _placed(manifest: Manifest, service: Service) -> PlacedManifest:
    folder, tags = manifest.folder.resolve(), Path(service.folder.root).resolve()
    inside = service.folder.is_local and folder.is_relative_to(tags)
    place = folder.relative_to(tags).as_posix() if inside else str(folder)
    return PlacedManifest(**dict(manifest), place=place)


def _texts(folder: Path) -> dict[str, str]:
    try:
        return {
            path.relative_to(folder).as_posix(): path.read_text("utf-8")
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"{folder} cannot be read ({error}): remove it and ask again"
        ) from error
