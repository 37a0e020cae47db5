"""The static files, under addresses that change with their contents, and so may be kept for ever.

GET /static/{file}

Text goes out compressed, to whoever takes that: over a slow line the window is there in half the time. Only
what is the same for everybody is sent so: where a secret and a stranger's words stand in one answer, its
length would tell.
"""

import gzip
import hashlib
import mimetypes
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from litestar import HttpMethod, Request, Response, route
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from features.access import public
from layouts import HERE

FOLDER = HERE.parent / "static"
FILES = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*") if path.is_file()}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
SMALL = 500  # bytes that are not worth it
ANSWERS = 256  # that are kept compressed: the files, and windows in each language


@route("/static/{file_path:path}", http_method=[HttpMethod.GET, HttpMethod.HEAD], guards=[public])
async def static(request: Request[Any, Any, Any], file_path: FromPath[Path]) -> Response[bytes]:
    name = file_path.as_posix().lstrip("/")
    if name not in FILES:
        raise NotFoundException
    return packed(request, contents(name), type_of(name), KEPT)


@cache
def contents(name: str) -> bytes:
    return FILES[name].read_bytes()


def type_of(name: str) -> str:
    return TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def packed(
    request: Request[Any, Any, Any], body: bytes, media_type: str, headers: dict[str, str]
) -> Response[bytes]:
    """An answer that is the same for everybody; not at all to who has it already."""
    told = {**headers, "ETag": tag(body), "Vary": "Accept-Encoding"}
    if told["ETag"] in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=told)
    is_text = media_type.startswith("text/") or media_type == TYPES[".svg"]
    if is_text and len(body) > SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        body, told["Content-Encoding"] = zipped(body), "gzip"
    told["Content-Length"] = str(len(body))
    return Response(b"" if request.method == "HEAD" else body, media_type=media_type, headers=told)


@lru_cache(ANSWERS)
def tag(body: bytes) -> str:
    """Weak: the same contents, compressed or not."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'


@lru_cache(ANSWERS)
def zipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


routes = [static]
