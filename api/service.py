"""What the routes share: the tag folder, its catalogue, the cascade, and where manifests go."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, cast

import duckdb
from fastapi import Depends, Request

from ..labels.taxonomy import LABELS, Label
from ..store.audits import tags_digest
from ..store.documents import Filters, Page, count_documents, list_documents
from ..store.folder import TagFolder
from ..store.prevalence import DEFAULT_THRESHOLD, Shares, prevalence
from ..store.where import parse_where
from .access import Caller
from .jobs import JobQueue
from .metrics import Metrics
from .places import Places
from .reader import CatalogueReader

_REMEMBERED = 256


@dataclass(kw_only=True, repr=False)
class Service:
    """The state of one application.

    Args:
        folder: the tag folder that is served.
        reader: hands out cursors over its catalogue.
        manifests: the local folder under which manifests are built.
        models: the models that score, or None for the shipped ones.
        judge: whether the judge scores too, or None for where it can.
        thresholds: by label, the probability from which a document is flagged.
        metrics: where requests are counted.
        queue: the long work that is waiting or done.
        places: where a corpus may be read, and its shards written.
        short_rows: up to how many tag rows work is done while its request waits.
        withhold_text: whether passages are shown only to keys with the scope `text`.
        building: held while a manifest is built, so that two requests for it build it once.
    """

    folder: TagFolder
    reader: CatalogueReader
    manifests: Path
    models: Path | None
    judge: bool | None
    thresholds: Mapping[str, float] | None
    metrics: Metrics
    queue: JobQueue
    places: Places
    short_rows: int
    withhold_text: bool = False
    building: threading.Lock = field(default_factory=threading.Lock)
    _scoring: threading.Lock = field(default_factory=threading.Lock)
    _shares: dict[tuple, Shares] = field(default_factory=dict)
    _totals: dict[tuple[str, Filters], int] = field(default_factory=dict)
    _tags: tuple[str, str] = ("", "")

    def shares(
        self, reading: tuple[duckdb.DuckDBPyConnection, str], *, label: str | None,
        by: str | None, unit: str, estimator: str, stance: str | None, where: str | None,
        limit: int,
    ) -> Shares:  # fmt: skip
        """Return the rows of `prevalence`, from a catalogue and its version.

        Rows are remembered, but for audited ones: labels may come in at any time.

        Raises:
            PolicyError: the condition cannot be read.
            SettingsError: a stance is asked of the audited estimator.
            TagsError: the unit is tokens and the corpus has none, or there is no labelled audit.
        """
        cursor, version = reading
        asked = (version, label, by, unit, estimator, stance, where, limit)
        rows = self._shares.get(asked) if estimator != "audited" else None
        if rows is None:
            rows = prevalence(
                cursor, label=label, by=by, unit=unit, estimator=estimator, stance=stance,
                where=parse_where(where) if where else None, thresholds=self.thresholds,
                limit=limit, folder=self.folder,
            )  # fmt: skip
            if len(self._shares) >= _REMEMBERED:
                self._shares.clear()
            self._shares[asked] = rows
        return rows

    def documents(
        self, reading: tuple[duckdb.DuckDBPyConnection, str], filters: Filters, *,
        cursor: str | None, limit: int, passages: bool,
    ) -> Page:  # fmt: skip
        """Return a page of documents from a catalogue and its version; totals are remembered.

        Raises:
            SettingsError: the cursor is not one of these filters.
            TagsError: a tag file that the passages are in cannot be read.
        """
        catalogue, version = reading
        asked = (version, replace(filters, text=None))  # a text is not counted
        total = self._totals.get(asked)
        if total is None:
            total = count_documents(catalogue, filters)
            if len(self._totals) >= _REMEMBERED:
                self._totals.clear()
            self._totals[asked] = total
        return list_documents(
            catalogue, self.folder, filters=filters, cursor=cursor, limit=limit, passages=passages,
            total=total,
        )  # fmt: skip

    def flagged_from(self) -> dict[Label, float]:
        """Return by label the probability from which a document is flagged."""
        given = self.thresholds or {}
        return {label: given.get(label, DEFAULT_THRESHOLD) for label in LABELS}

    def thresholds_header(self) -> str:
        """Return the same as a header has it: `label=probability`, by commas."""
        return ", ".join(f"{label}={value!r}" for label, value in self.flagged_from().items())

    def tags_digest(self, version: str) -> str:
        """Return the digest of the tags, by which audits know theirs, at a catalogue's version.

        It is remembered: every receipt is read for it.
        """
        known, digest = self._tags
        if known != version:
            digest = tags_digest(self.folder)
            self._tags = (version, digest)
        return digest

    def shows_text(self, caller: Caller) -> bool:
        """Return whether a caller may see the text of passages."""
        return caller.may("text") or not self.withhold_text

    def is_long(self, cursor: duckdb.DuckDBPyConnection) -> bool:
        """Return whether work that reads every tag row is left to a worker."""
        rows = cursor.execute("SELECT count(*) FROM documents").fetchall()[0][0]
        return rows > self.short_rows

    def score(self, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Score records of `id` and `text`, in their order, as `narrascope score` does.

        Raises:
            ModelError: the models are missing or damaged.
        """
        # Imported when it is first needed: spaCy and scikit-learn take seconds to import.
        from ..classifiers.cascade import load_cascade

        # One at a time, so that scoring never takes more than a core from the other routes.
        with self._scoring:
            cascade = load_cascade(self.models, judge=self.judge)
            results = list(cascade.score_texts(records))
        for result in results:
            self.metrics.count_scored(result["stage"])
        return results


def of(request: Request) -> Service:
    """Return the service of the application that a request came to."""
    return cast(Service, request.app.state.service)


def reading_of(request: Request) -> tuple[duckdb.DuckDBPyConnection, str]:
    """Return a cursor over the newest catalogue, for one request, and the catalogue's version."""
    return of(request).reader.cursor()


Reading = Annotated[tuple[duckdb.DuckDBPyConnection, str], Depends(reading_of)]


def cursor_of(reading: Reading) -> duckdb.DuckDBPyConnection:
    """Return a cursor over the newest catalogue, for one request."""
    return reading[0]


ServiceOf = Annotated[Service, Depends(of)]
Cursor = Annotated[duckdb.DuckDBPyConnection, Depends(cursor_of)]
