"""The static files, under addresses that change with their contents.

GET /static/{file}
"""

from litestar.static_files import create_static_files_router

from features.access import public
from layouts import HERE

FOR_EVER = "public, max-age=31536000, immutable"

routes = [
    create_static_files_router(
        path="/static",
        directories=[HERE.parent / "static"],
        guards=[public],
        cache_control=None,
        after_request=None,
        name="static",
    )
]
