"""The application: routes, problems, middleware and the page, over one tag folder."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from .. import __version__
from ..errors import SettingsError
from ..store.folder import TagFolder
from . import (
    audits,
    corpus,
    documents,
    job_routes,
    manifests,
    operations,
    pages,
    prevalence,
    problems,
    reweighs,
    score,
)
from .access import UNGUARDED, Access, Protection
from .building import manifests_folder
from .description import describe
from .jobs import JobQueue
from .keys import Keys
from .metrics import Metrics
from .middleware import RequestContext
from .parameters import no_unknown_parameters
from .places import NOWHERE, Places
from .reader import CatalogueReader
from .service import Service
from .state import State, state_path
from .tabular import PARQUET

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names under which a service bound to the loopback is addressed."""

SHORT_ROWS = 1_000_000
"""Up to how many tag rows a manifest is built, or an audit drawn, while the request waits."""

_DESCRIPTION = (
    "How a pretraining corpus portrays AI: shares by label and group, the documents with their "
    "evidence, and manifests that weigh them. Every error is a problem document (RFC 9457)."
)
TOPICS = (
    prevalence, documents, corpus, score, manifests, reweighs, audits, job_routes, operations,
)  # fmt: skip
"""The modules with routes, in the order of the reference."""

_WORTH_COMPRESSING = 1000
_COMPRESSION = 5
_SENT = ("Authorization", "Content-Type", "If-None-Match", "Prefer", "X-Request-ID")
_SHOWN = (
    "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "X-Catalogue", "X-Left-Out",
    "X-Request-ID", "X-Thresholds", "X-Total-Count",
)  # fmt: skip


def create_app(
    folder_url: str,
    *,
    thresholds: Mapping[str, float] | None = None,
    models: Path | None = None,
    judge: bool | None = None,
    manifests_home: Path | None = None,
    cache: Path | None = None,
    state: Path | None = None,
    protection: Protection = UNGUARDED,
    places: Places = NOWHERE,
    short_rows: int = SHORT_ROWS,
    hosts: Sequence[str] = LOOPBACK,
    refresh_seconds: float = 10.0,
) -> FastAPI:
    """Return the service over a tag folder, as an ASGI application.

    Args:
        folder_url: the tag folder, a local path or an fsspec URL.
        thresholds: by label, the probability from which a document is flagged.
        models: the models that score; by default the shipped ones.
        judge: whether the judge scores too; by default where it can.
        manifests_home: where manifests are built; by default `manifests` in the tag folder, or
            beside the catalogue where that cannot be written.
        cache: where catalogues of remote or read-only folders are kept.
        state: the SQLite file of keys and jobs; by default in the tag folder, or beside the
            catalogue where that cannot be written.
        protection: keys, limits, and who else may ask.
        places: where a corpus may be read, and its shards written; by default nowhere.
        short_rows: up to how many tag rows work is done while its request waits; beyond, a job.
        hosts: names under which the service may be addressed; `*` allows any.
        refresh_seconds: how often at most the tag folder is looked at for changes.

    Raises:
        SettingsError: keys are required and none is valid, or the state cannot be used.
        TagsError: the folder is missing, holds no finished part, or one that cannot be read.
    """
    folder, metrics = TagFolder(folder_url), Metrics()
    kept = State(state_path(folder, given=state, cache=cache))
    keys = Keys(kept)
    if protection.require_keys and not keys.any_valid():
        raise SettingsError(
            f"{folder.url} has no valid key, and requests would need one: make one with "
            f"`narrascope keys make NAME --tags {folder.url}`, or serve on 127.0.0.1"
        )
    reader = CatalogueReader(folder, refresh_seconds=refresh_seconds, cache=cache)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        reader.close()

    app = FastAPI(
        title="Narrascope", version=__version__, description=_DESCRIPTION,
        docs_url=None, redoc_url=None, lifespan=lifespan,
    )  # fmt: skip
    app.state.service = Service(
        folder=folder,
        reader=reader,
        manifests=manifests_home or manifests_folder(folder, cache=cache),
        models=models,
        judge=judge,
        thresholds=thresholds,
        metrics=metrics,
        queue=JobQueue(kept),
        places=places,
        short_rows=short_rows,
        withhold_text=protection.withhold_text,
    )
    # The last that is added is the first that a request meets.
    app.add_middleware(
        GZipMiddleware, minimum_size=_WORTH_COMPRESSING, compresslevel=_COMPRESSION,
        exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, PARQUET),
    )  # fmt: skip
    app.add_middleware(Access, keys=keys, protection=protection)
    if protection.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=protection.origins, allow_methods=problems.METHODS,
            allow_headers=_SENT, expose_headers=_SHOWN,
        )  # fmt: skip
    app.add_middleware(RequestContext, metrics=metrics, hosts=hosts, protection=protection)
    problems.install(app)
    for topic in TOPICS:
        app.include_router(topic.router, dependencies=[Depends(no_unknown_parameters)])
    describe(app)
    pages.mount(app)
    return app
