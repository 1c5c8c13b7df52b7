"""Errors as RFC 9457 problem documents: every refusal has the same shape, and none a traceback."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ..errors import (
    LabelsError,
    ManifestError,
    ModelError,
    NarrascopeError,
    PolicyError,
    SettingsError,
    SourceError,
    TagsError,
)

MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "DELETE")
"""Methods that some route has."""

_STATUS: dict[type[NarrascopeError], HTTPStatus] = {
    SettingsError: HTTPStatus.UNPROCESSABLE_ENTITY,
    PolicyError: HTTPStatus.UNPROCESSABLE_ENTITY,
    SourceError: HTTPStatus.UNPROCESSABLE_ENTITY,
    LabelsError: HTTPStatus.INTERNAL_SERVER_ERROR,
    TagsError: HTTPStatus.CONFLICT,
    ManifestError: HTTPStatus.CONFLICT,
    ModelError: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Problem(BaseModel):
    """A problem document of RFC 9457."""

    type: str = Field(description="`about:blank`, or a URN that names the kind of error")
    title: str = Field(description="the kind of problem, the same every time")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what was wrong, what would be right, and what to do next")
    instance: str = Field(description="the path that was asked for")
    request_id: str = Field(description="the request, as the log names it")
    errors: list[dict[str, str]] | None = Field(
        default=None, description="where a request is invalid: `pointer` and `detail` of each place"
    )


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    kind: str = "about:blank",
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return a problem document as a response."""
    body: dict[str, Any] = {
        "type": kind,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": request.scope.get("request_id", ""),
    }
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def unexpected(request: Request) -> JSONResponse:
    """Return what a failure of the program itself shows: nothing but where to look."""
    return problem(request, 500, "the service failed; its log says why under this request_id")


def install(app: FastAPI) -> None:
    """Answer every error of an application with a problem document."""
    app.add_exception_handler(NarrascopeError, _on_narrascope_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


def _on_narrascope_error(request: Request, error: Exception) -> JSONResponse:
    status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 500)
    if status >= 500:
        structlog.get_logger().error("refused", status=int(status), why=str(error))
    name = type(error).__name__.removesuffix("Error").lower()
    return problem(request, int(status), str(error), kind=f"urn:narrascope:problem:{name}")


def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    places = [
        {"pointer": "/".join(map(str, e["loc"])), "detail": " ".join(str(e["msg"]).split())}
        for e in error.errors()
    ]
    first = places[0]
    more = f", and {len(places) - 1} more" if len(places) > 1 else ""
    detail = f"{first['pointer']}: {first['detail']}{more}; /docs shows what is right"
    return problem(request, 422, detail, kind="urn:narrascope:problem:invalid", errors=places)


def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404 and detail == "Not Found":
        detail = f"nothing at {request.url.path}: /docs lists what there is"
    headers = dict(error.headers or {})
    if error.status_code == 405:
        detail = f"{request.method} is not allowed here: /docs lists what is"
        # Starlette names the methods of one of the path's routes only, and none of the page's.
        routed = "allow" in map(str.lower, headers)
        allowed = [m for m in METHODS if _has(request, m)] if routed else ["GET", "HEAD"]
        headers = {"Allow": ", ".join(allowed)}
    return problem(request, error.status_code, detail, headers=headers)


def _has(request: Request, method: str) -> bool:
    asked = {**request.scope, "method": method}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)
