"""A client of the service, for notebooks and scripts.

::

    from narrascope.api.client import Client

    with Client("http://localhost:8080", key="narrascope_…") as client:
        shares = client.prevalence(by="source", label="malevolent").to_pandas()
        for document in client.documents(label="malevolent", min_score=0.9, passages=True):
            print(document["shard"], document["row"])
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx
import pyarrow as pa

from ..errors import NarrascopeError, SettingsError, one_line
from ..labels.taxonomy import Behaviour, Genre, Label, Stance, Taxonomy
from ..manifests.assign import Match, Mode
from ..manifests.planned import Plan
from ..store.counts import By, Estimator, Unit
from .schemas import Job
from .score import MAX_TEXT_BYTES, MAX_TEXTS
from .tabular import ARROW

if TYPE_CHECKING:
    import pandas as pd


class ServiceProblem(NarrascopeError):  # noqa: N818 (RFC 9457 calls it a problem)
    """The service refused a request; its text is the problem's `detail`.

    Args:
        detail: what was wrong, and what to do.
        status: the HTTP status.
        request_id: the request, as the service's log names it.
        retry_after: in how many seconds to ask again, where the service says so.
    """

    def __init__(
        self, detail: str, *, status: int, request_id: str, retry_after: int | None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after


class Rows:
    """Rows of an answer, page by page as they are asked for; going through them again asks again.

    Args:
        pages: returns the pages, each a table.
    """

    def __init__(self, pages: Callable[[], Iterator[pa.Table]]) -> None:
        self._pages = pages

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for page in self._pages():
            yield from page.to_pylist()

    def to_arrow(self) -> pa.Table:
        """Return all rows as one Arrow table."""
        return pa.concat_tables(list(self._pages()))

    def to_pandas(self) -> "pd.DataFrame":
        """Return all rows as a data frame.

        Raises:
            SettingsError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401 (pyarrow needs it, and would say so at more length)
        except ImportError:
            raise SettingsError("a data frame needs another package: pip install pandas") from None
        return self.to_arrow().to_pandas()


class Client:
    """Asks one service. Every method raises `ServiceProblem` where the service refuses.

    Args:
        url: where the service is, such as `http://localhost:8080`.
        key: what `narrascope keys make` printed, where the service needs one.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 60.0) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def prevalence(
        self, *, label: Label | None = None, by: By | None = None, unit: Unit = "documents",
        estimator: Estimator = "flagged", stance: Stance | None = None, where: str | None = None,
        source: str | None = None, domain: str | None = None, month: str | None = None,
        language: str | None = None, limit: int = 1000,
    ) -> Rows:  # fmt: skip
        """Return shares by label and group; see `GET /v1/prevalence`."""
        asked = _given(
            label=label, by=by, unit=unit, estimator=estimator, stance=stance, where=where,
            source=source, domain=domain, month=month, language=language, limit=limit,
        )  # fmt: skip
        return Rows(lambda: self._tables("/v1/prevalence", asked))

    def documents(
        self, *, label: Label | None = None, min_score: float | None = None,
        max_score: float | None = None, stance: Stance | None = None, genre: Genre | None = None,
        behaviour: Behaviour | None = None, source: str | None = None, domain: str | None = None,
        month: str | None = None, shard: str | None = None, where: str | None = None,
        text: str | None = None, passages: bool = False, page: int = 100,
    ) -> Rows:  # fmt: skip
        """Return all documents that the filters take, the highest score first.

        They are fetched `page` at a time, at most 100, as they are gone through.
        """
        asked = _given(
            label=label, min_score=min_score, max_score=max_score, stance=stance, genre=genre,
            behaviour=behaviour, source=source, domain=domain, month=month, shard=shard,
            where=where, text=text, passages=passages, limit=page,
        )  # fmt: skip
        return Rows(lambda: self._tables("/v1/documents", asked))

    def document(self, shard: str, row: int) -> dict[str, Any]:
        """Return one document with its passages."""
        return self._ask("GET", f"/v1/documents/{quote(f'{shard}#{row}', safe='')}").json()

    def taxonomy(self) -> Taxonomy:
        """Return labels, stances, genres and behaviours with their definitions."""
        return Taxonomy.model_validate_json(self._ask("GET", "/v1/taxonomy").content)

    def score(self, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield what the cascade says of each text, in their order; many are sent at a time."""
        batch: list[dict[str, str]] = []
        size = 0
        for text in texts:
            length = len(text.encode())
            if batch and (len(batch) == MAX_TEXTS or size + length > MAX_TEXT_BYTES):
                yield from self._score(batch)
                batch, size = [], 0
            batch.append({"text": text})
            size += length
        if batch:
            yield from self._score(batch)

    def plan(self, policy: Mapping[str, Any] | str) -> Plan:
        """Return what a policy, an object or YAML text, would do; nothing is written."""
        answer = self._ask("POST", "/v1/plans", json={"policy": policy})
        return Plan.model_validate_json(answer.content)

    def build(self, policy: Mapping[str, Any] | str, *, seconds: float = 600.0) -> dict[str, Any]:
        """Return the manifest of a policy, built if need be; where a worker does, it is waited for.

        Raises:
            ServiceProblem: it could not be built.
            TimeoutError: it was not built within `seconds`; it may yet be.
        """
        answer = self._ask("POST", "/v1/manifests", json={"policy": policy})
        if answer.status_code != 202:
            return answer.json()
        job = self.wait(Job.model_validate_json(answer.content), seconds=seconds)
        return self.manifest((job.result or {})["manifest"])

    def manifest(self, id: str) -> dict[str, Any]:
        """Return a manifest: its policy, plan, weights and what it was built from."""
        return self._ask("GET", f"/v1/manifests/{quote(id, safe='')}").json()

    def manifests(self) -> list[dict[str, Any]]:
        """Return the manifests that were built, each in a line, the newest first."""
        return self._ask("GET", "/v1/manifests").json()["manifests"]

    def reweigh(
        self, manifest: str, *, source: str | None = None, root: str | None = None,
        mode: Mode = "buckets", match: Match = "row",
    ) -> Job:  # fmt: skip
        """Have a worker write the bucket shards of a manifest; `wait` waits for it."""
        asked = {"source": source, "root": root, "mode": mode, "match": match}
        path = f"/v1/manifests/{quote(manifest, safe='')}/reweighs"
        return Job.model_validate_json(self._ask("POST", path, json=asked).content)

    def export(self, manifest: str, trainer: str) -> dict[str, str]:
        """Return a trainer's files, text by name; the corpus must have been reweighed."""
        path = f"/v1/manifests/{quote(manifest, safe='')}/exports/{quote(trainer, safe='')}"
        return self._ask("GET", path).json()["files"]

    def jobs(self) -> list[Job]:
        """Return the jobs, the newest first."""
        return [Job.model_validate(job) for job in self._ask("GET", "/v1/jobs").json()["jobs"]]

    def job(self, id: str) -> Job:
        """Return a job as it is now."""
        return Job.model_validate_json(self._ask("GET", f"/v1/jobs/{quote(id, safe='')}").content)

    def cancel(self, id: str) -> Job:
        """Cancel a job; one that is being done stops when its worker next says how far it is."""
        answer = self._ask("DELETE", f"/v1/jobs/{quote(id, safe='')}")
        return Job.model_validate_json(answer.content)

    def wait(self, job: Job, *, seconds: float = 600.0, poll_seconds: float = 1.0) -> Job:
        """Return a job once it is done.

        Raises:
            ServiceProblem: it failed or was cancelled.
            TimeoutError: it was not done within `seconds`; it goes on.
        """
        deadline = time.monotonic() + seconds
        while not job.finished:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job.id} is not done after {seconds:g} s: {job.note}")
            time.sleep(poll_seconds)
            job = self.job(job.id)
        if job.state != "done":
            raise ServiceProblem(
                f"job {job.id} {job.state}: {job.note}", status=200, request_id=job.request_id,
                retry_after=None,
            )  # fmt: skip
        return job

    def _score(self, documents: list[dict[str, str]]) -> list[dict[str, Any]]:
        return self._ask("POST", "/v1/score", json={"documents": documents}).json()["results"]

    def _tables(self, path: str, asked: Mapping[str, Any] | None) -> Iterator[pa.Table]:
        onward: str | None = path
        while onward:
            answer = self._ask("GET", onward, params=asked, headers={"Accept": ARROW})
            with pa.ipc.open_stream(answer.content) as stream:
                yield stream.read_all()
            # The address of the next page has all that was asked in it.
            onward, asked = answer.links.get("next", {}).get("url"), None

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise SettingsError(
                f"the service at {self._http.base_url} cannot be reached ({one_line(error)}): see "
                "that `narrascope serve` runs there"
            ) from error
        if answer.is_success:
            return answer
        problem = answer.headers.get("content-type", "").startswith("application/problem+json")
        wait = answer.headers.get("retry-after", "")
        raise ServiceProblem(
            answer.json()["detail"] if problem else f"{answer.status_code} of {answer.url}",
            status=answer.status_code, request_id=answer.headers.get("x-request-id", ""),
            retry_after=int(wait) if wait.isdigit() else None,
        )  # fmt: skip


def _given(**asked: Any) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}
