"""Registered domains: what documents are counted by, and taken down by."""

from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tldextract


@lru_cache(maxsize=100_000)
def registered_domain(host: str) -> str:
    """Return the registered domain of a host, or its last two names where no suffix is known."""
    found = _extractor()(host.lower())
    return found.top_domain_under_public_suffix or ".".join(host.lower().split(".")[-2:])


@cache
def _extractor() -> "tldextract.TLDExtract":
    import tldextract  # whoever only plans a scan, or reads a corpus without URLs, starts without

    # The suffix list that the package ships: nothing is fetched, so every machine parses alike.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
