"""The application: routes, problems, middleware and the page, over one tag folder."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI

from .. import __version__
from ..store.catalogue import catalogue_folder
from ..store.folder import TagFolder
from . import audits, corpus, documents, manifests, operations, pages, prevalence, problems, score
from .metrics import Metrics
from .middleware import RequestContext
from .parameters import no_unknown_parameters
from .reader import CatalogueReader
from .service import Service

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names under which a service bound to the loopback is addressed."""

_DESCRIPTION = (
    "How a pretraining corpus portrays AI: shares by label and group, the documents with their "
    "evidence, and manifests that weigh them. Every error is a problem document (RFC 9457)."
)


def create_app(
    folder_url: str,
    *,
    thresholds: Mapping[str, float] | None = None,
    models: Path | None = None,
    judge: bool | None = None,
    manifests_folder: Path | None = None,
    cache: Path | None = None,
    hosts: Sequence[str] = LOOPBACK,
    refresh_seconds: float = 10.0,
) -> FastAPI:
    """Return the service over a tag folder, as an ASGI application.

    Args:
        folder_url: the tag folder, a local path or an fsspec URL.
        thresholds: by label, the probability from which a document is flagged.
        models: the models that score; by default the shipped ones.
        judge: whether the judge scores too; by default where it can.
        manifests_folder: where manifests are built; by default `manifests` in the tag folder, or
            beside the catalogue where that cannot be written.
        cache: where catalogues of remote or read-only folders are kept.
        hosts: names under which the service may be addressed; `*` allows any.
        refresh_seconds: how often at most the tag folder is looked at for changes.

    Raises:
        TagsError: the folder is missing, holds no finished part, or one that cannot be read.
    """
    folder, metrics = TagFolder(folder_url), Metrics()
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
        manifests=manifests_folder or catalogue_folder(folder, cache=cache).parent / "manifests",
        models=models,
        judge=judge,
        thresholds=thresholds,
        metrics=metrics,
    )
    app.add_middleware(RequestContext, metrics=metrics, hosts=hosts)
    problems.install(app)
    for topic in (prevalence, documents, corpus, score, manifests, audits, operations):
        app.include_router(topic.router, dependencies=[Depends(no_unknown_parameters)])
    pages.mount(app)
    return app
