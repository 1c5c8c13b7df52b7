"""What `/metrics` tells Prometheus."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest


class Metrics:
    """Counters of one application, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "narrascope_requests", "Requests answered.", ["method", "route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "narrascope_request_seconds", "Seconds to answer a request.", ["route"],
            registry=self._registry, buckets=(0.005, 0.02, 0.1, 0.5, 2, 10),
        )  # fmt: skip
        self._scored = Counter(
            "narrascope_scored_documents", "Documents scored on request, by the last stage.",
            ["stage"], registry=self._registry,
        )  # fmt: skip
        self._jobs = Gauge(
            "narrascope_jobs", "Jobs by state, of all processes.", ["state"],
            registry=self._registry,
        )  # fmt: skip
        self._catalogue = Info(
            "narrascope_catalogue", "The catalogue that is read.", registry=self._registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_scored(self, stage: str) -> None:
        """Count one document that was scored."""
        self._scored.labels(stage).inc()

    def expose(self, *, jobs: Mapping[str, int], catalogue: str) -> bytes:
        """Return all metrics in Prometheus's text format.

        Args:
            jobs: how many there are in each state.
            catalogue: the version that is read.
        """
        for state, number in jobs.items():
            self._jobs.labels(state).set(number)
        self._catalogue.info({"version": catalogue})
        return generate_latest(self._registry)
