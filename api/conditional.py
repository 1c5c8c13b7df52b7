"""Conditional requests: what a client has already is neither worked out nor sent again.

What rests on the catalogue has an `ETag` (RFC 9110, 8.8.3 and 13.1.2) that is known before the work
is done. It is weak: the same rows compressed are the same answer.
"""

from typing import Annotated

import xxhash
from fastapi import Depends, Request, Response

from .. import __version__
from .access import CallerOf
from .service import Reading, ServiceOf

UNCHANGED: dict[int | str, dict[str, str]] = {
    304: {"description": "Nothing has changed since the answer whose `ETag` `If-None-Match` names"}
}
"""What the reference says of a route with conditional requests."""


class Validator:
    """What an answer rests on, as a tag, and whether the client has the answer that bears it.

    Args:
        tag: the `ETag`.
        known: `If-None-Match` of the request; empty without one.
        response: gets the tag, where the answer is sent.
    """

    def __init__(self, tag: str, known: str, response: Response) -> None:
        self.tag = tag
        self._known = known
        self._response = response

    def unchanged(self) -> Response | None:
        """Return the answer to a client that has this already, else None."""
        self._response.headers["ETag"] = self.tag
        tags = [tag.strip() for tag in self._known.split(",")]
        if self.tag not in tags and self._known.strip() != "*":
            return None
        vary = self._response.headers.get("Vary")
        return Response(
            status_code=304, headers={"ETag": self.tag} | ({"Vary": vary} if vary else {})
        )


def validator_of(
    request: Request, response: Response, service: ServiceOf, reading: Reading, caller: CallerOf
) -> Validator:
    """Return the validator of a request's answer.

    It covers this version, the catalogue's, the thresholds, the form that is accepted, and whether
    the caller sees the text.
    """
    basis = [
        __version__,
        reading[1],
        sorted((service.thresholds or {}).items()),
        request.headers.get("accept", "*/*"),
        service.shows_text(caller),
    ]
    tag = f'W/"{xxhash.xxh3_64_hexdigest(repr(basis).encode())}"'
    return Validator(tag, request.headers.get("if-none-match", ""), response)


ValidatorOf = Annotated[Validator, Depends(validator_of)]
