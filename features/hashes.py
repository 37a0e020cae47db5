"""Passwords as the desk keeps them, and whose they are: Argon2id, as its library sets it."""

import secrets
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from db.tables import Agent
from features import aside
from layouts import _

SHORTEST = 12
LONGEST = 1_000  # more takes long to hash

hasher = PasswordHasher()
threads = aside.Threads(2, "password", aside.NICER)  # each has several threads at work, and 64 MB


def problem_with(password: str) -> str:
    if len(password) < SHORTEST:
        return _("Use at least 12 characters.")
    if len(password) > LONGEST:
        return _("That is too long.")
    return ""


async def hashed(password: str) -> str:
    return await aside.done(threads, hasher.hash, password)


async def verified(password_hash: str, password: str) -> bool:
    try:
        return await aside.done(threads, hasher.verify, password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


async def agent_with(username: str, password: str) -> dict[str, Any] | None:
    """Takes as long for a name that does not exist as for a wrong password."""
    row = await (
        Agent.select(Agent.id, Agent.password_hash)
        .where(Agent.username == username)
        .where(Agent.active.eq(True))
        .first()
    )
    right = await verified(row["password_hash"] if row else await nobodys_hash(), password)
    return row if row and right else None


async def nobodys_hash() -> str:
    """Of a password nobody has, made with the parameters now in force."""
    if not nobodys.get(hasher):
        nobodys[hasher] = await hashed(secrets.token_hex())
    return nobodys[hasher]


nobodys: dict[PasswordHasher, str] = {}
