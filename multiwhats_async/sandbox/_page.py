"""The page: files of the package, served as they are."""

from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

FOLDER: Final = Path(__file__).with_name("page")

MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


def page_file(name: str) -> Response:
    """Return one file of the page.

    Raises:
        HTTPException: There is none of this name.
    """
    # Only names that the folder lists: a path out of it is none of them.
    if name not in {path.name for path in FOLDER.iterdir()}:
        raise HTTPException(404)
    path = FOLDER / name
    return Response(
        path.read_bytes(), media_type=MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    )


def page_routes() -> list[BaseRoute]:
    """Return the route of the page's files, without the ``/sandbox`` before it."""

    async def serve(request: Request) -> Response:
        return page_file(request.path_params["name"])

    return [Route("/page/{name}", serve)]
