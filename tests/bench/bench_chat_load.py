"""The process that makes the work: reads what to do from standard input, says what came of it."""

import asyncio
import json
import sys
from typing import Any

from tests.bench import load


async def main() -> None:
    kind, port, talks, seconds = json.load(sys.stdin)
    done = await DO[kind](port, [load.Talk(**talk) for talk in talks], seconds)
    json.dump(done, sys.stdout)


async def posts(port: int, talks: list[load.Talk], seconds: float) -> dict[str, Any]:
    count, took = await load.posts(port, talks, seconds)
    return {"count": count, "per_s": count / took}


async def turns(port: int, talks: list[load.Talk], seconds: float) -> dict[str, Any]:
    history = await load.turns(port, talks, seconds)
    ms = {f"p{share}": load.percentile(history.took_s, share / 100) * 1000 for share in (50, 95, 99)}
    return {"count": len(history.took_s), **ms, **history.faults()}


DO = {"posts": posts, "turns": turns}

asyncio.run(main())
