"""The page at `/`, its files under `/static`, and the reference at `/docs`."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

from .reference import render_reference

WEB = Path(__file__).resolve().parents[1] / "web"

router = APIRouter(include_in_schema=False)


def mount(app: FastAPI) -> None:
    """Serve the page, its files and the reference."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=WEB), name="static")


@router.get("/")
def get_page() -> FileResponse:
    """Return the page."""
    return FileResponse(WEB / "index.html", media_type="text/html")


@router.get("/docs")
def get_reference(request: Request) -> HTMLResponse:
    """Return the reference of the REST service."""
    return HTMLResponse(render_reference(request.app.openapi()))
