"""GET /health: what a monitor is told."""

import asyncio

import pytest

import db
from features import health
from tests.conftest import Desk


async def test_a_desk_that_can_serve_says_so_to_anybody(desk: Desk) -> None:
    answer = await desk.nobody().get("/health")
    assert (answer.status_code, answer.json()) == (200, {"live": True, "ready": True})


async def test_without_its_database_it_is_alive_but_not_ready(desk: Desk) -> None:
    await db.disconnect()
    answer = await desk.nobody().get("/health")
    assert (answer.status_code, answer.json()) == (503, {"live": True, "ready": False})


async def test_a_database_that_takes_too_long_counts_as_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "ANSWER_S", 0)
    answer = await asyncio.wait_for(desk.nobody().get("/health"), 1)
    assert (answer.status_code, answer.json()) == (503, {"live": True, "ready": False})
