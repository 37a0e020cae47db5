"""Health: what a load balancer or a monitor asks.

GET /health   200 when chats can be served, 503 when the database does not answer
"""

import asyncio
from typing import Any

import structlog
from litestar import Response, get

import db
from features import access

ANSWER_S = 2  # a database slower than this is as good as none

log = structlog.get_logger("balie.health")


@get("/health", guards=[access.public])
async def health() -> Response[dict[str, Any]]:
    ready = await database_answers()
    return Response(
        {"live": True, "ready": ready},
        status_code=200 if ready else 503,
        headers={"cache-control": "no-store"},
    )


async def database_answers() -> bool:
    try:
        async with asyncio.timeout(ANSWER_S):
            await db.sql("SELECT 1")
    except Exception as problem:  # whatever it is, chats cannot be served
        log.error("database_does_not_answer", problem=repr(problem))
        return False
    return True


routes = [health]
