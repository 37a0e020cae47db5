"""The static files, under addresses that change with their contents, and so may be kept for ever.

GET /static/{file}
"""

from litestar.datastructures import CacheControlHeader
from litestar.static_files import create_static_files_router

from features.access import public
from layouts import HERE

routes = [
    create_static_files_router(
        path="/static",
        directories=[HERE.parent / "static"],
        guards=[public],
        cache_control=CacheControlHeader(max_age=31_536_000, public=True, immutable=True),
        name="static",
    )
]
