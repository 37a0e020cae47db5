"""Wrong passwords, and other secrets that are guessed at: whoever has had too many of them waits."""

from datetime import timedelta

import db
from db.clock import now
from db.tables import SignInFailure
from features import desk
from layouts import ngettext

MOST = 10  # wrong passwords for one name from one address, within …
MOST_ANYWHERE = 100  # … and for one name, or from one address, whatever the other
MINUTES = 15


async def count(username: str, address: str) -> tuple[int, list[int]]:
    """How many minutes to wait; if none, the rows of a failure. It is one until it turns out otherwise, so
    that a hundred tries at once are a hundred."""
    async with db.transaction():
        await db.lock("sign in")
        if wait := await minutes_to_wait(username, address):
            return wait, []
        await SignInFailure.delete().where(SignInFailure.failed_at < now() - timedelta(minutes=MINUTES))
        rows = await SignInFailure.insert(
            *(SignInFailure(who=who, failed_at=now()) for who, _limit in watched(username, address))
        )
        return 0, [row["id"] for row in rows]


async def forget(tried: list[int]) -> None:
    """It was none of the failures."""
    await SignInFailure.delete().where(SignInFailure.id.is_in(tried))


async def minutes_to_wait(username: str, address: str) -> int:
    """0, or how long until the oldest of too many failures is forgotten."""
    since = now() - timedelta(minutes=MINUTES)
    limits = dict(watched(username, address))
    rows = await (
        SignInFailure.select(SignInFailure.who, SignInFailure.failed_at)
        .where(SignInFailure.who.is_in(list(limits)))
        .where(SignInFailure.failed_at > since)
        .order_by(SignInFailure.failed_at, ascending=False)
    )
    waits = [0]
    for who, limit in limits.items():
        failures = [row["failed_at"] for row in rows if row["who"] == who]
        if len(failures) >= limit:
            waits.append(1 + int((failures[limit - 1] - since).total_seconds() // 60))
    return max(waits)


def watched(username: str, address: str) -> list[tuple[str, int]]:
    return [
        (desk.keyed("both", username, address), MOST),
        (desk.keyed("name", username), MOST_ANYWHERE),
        (desk.keyed("address", address), MOST_ANYWHERE),
    ]


def too_often(wait: int) -> str:
    return ngettext(
        "Too many attempts. Try again in %(n)s minute.",
        "Too many attempts. Try again in %(n)s minutes.",
        wait,
    ) % {"n": wait}
