"""Embed: the script that a host page loads, and that puts the button there.

    GET /embed.js

static/embed.js is its source. It goes out without comments and indentation, and what it looks like comes with
the button's status (`widget`): so there is room in it for what a button needs on anybody's page.
"""

import gzip
import hashlib
from typing import Any

from litestar import Request, Response, get

from features.access import public
from layouts import HERE

SCRIPT_AGE_S = 300


def squeezed(source: str) -> bytes:
    """Line by line, so that it stays what was written, and can be read in a browser. It has a comment at its
    head, and no text of several lines."""
    lines = (line.strip() for line in source.split("*/", 1)[1].splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")).encode()


SCRIPT = squeezed((HERE.parent / "static" / "embed.js").read_text("utf-8"))
ZIPPED = gzip.compress(SCRIPT, mtime=0)
HEADERS = {
    "Cache-Control": f"public, max-age={SCRIPT_AGE_S}",
    "ETag": f'W/"{hashlib.sha256(SCRIPT).hexdigest()[:20]}"',
    "Vary": "Accept-Encoding",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@get("/embed.js", guards=[public])
async def embed(request: Request[Any, Any, Any]) -> Response[bytes]:
    if HEADERS["ETag"] in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=HEADERS)
    if "gzip" in request.headers.get("accept-encoding", ""):
        zipped = {**HEADERS, "Content-Encoding": "gzip"}
        return Response(ZIPPED, media_type="text/javascript", headers=zipped)
    return Response(SCRIPT, media_type="text/javascript", headers=HEADERS)


routes = [embed]
