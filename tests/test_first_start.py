"""The first start of a desk, its settings and its clock."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import db
from db import example_desk
from db.clock import now
from db.settings import BadSetting, Settings
from db.tables import (
    Agent,
    Desk,
    Queue,
    Widget,
)
from features import hashes


@pytest.mark.usefixtures("cheap_passwords")
async def test_the_example_desk_is_made_once_and_its_passwords_are_its_own(connected: str) -> None:
    passwords = await example_desk.load()
    assert passwords is not None
    assert passwords.keys() == {"an", "bram", "chloe", "eva", "admin"}
    assert len(set(passwords.values())) == len(passwords)
    assert all(re.fullmatch(r"[a-z]{6}-[a-z]{6}-\d{4}", password) for password in passwords.values())
    assert await example_desk.load() is None
    assert await Agent.count() == len(passwords)
    [agent] = await db.sql("SELECT password_hash FROM agent WHERE username = {}", "an")
    assert await hashes.verified(agent["password_hash"], passwords["an"])
    assert not await hashes.verified(agent["password_hash"], passwords["bram"])


@pytest.mark.usefixtures("cheap_passwords")
async def test_two_first_starts_at_once_make_one_example_desk(connected: str) -> None:
    made = await asyncio.gather(example_desk.load("the same"), example_desk.load("the same"))
    assert sum(passwords is None for passwords in made) == 1
    assert (await Desk.count(), await Agent.count()) == (1, 5)


async def test_a_real_desk_begins_with_its_name_alone(connected: str) -> None:
    await example_desk.empty("Stad Ergens")
    await example_desk.empty("Another")
    assert await Desk.select(Desk.name) == [{"name": "Stad Ergens"}]
    assert len((await Desk.select(Desk.secret))[0]["secret"]) == 64
    assert [await table.count() for table in (Agent, Queue, Widget)] == [0, 0, 0]


def test_settings_come_from_the_environment_and_from_the_command_line_before_it() -> None:
    found = Settings()
    found.load({})
    assert (found.url, found.database_url) == ("http://localhost:8000", "sqlite:///data/balie.sqlite3")
    found.load(
        {"BALIE_PORT": "9000", "BALIE_URL": "https://chat.example.org/", "BALIE_HOST": " "}, data="/var/x"
    )
    assert (found.port, found.url, found.host) == (9000, "https://chat.example.org", "127.0.0.1")
    assert found.database_url == "sqlite:////var/x/balie.sqlite3"
    assert found.secure
    found.load({"BALIE_PORT": "9000"}, port=9001)
    assert (found.port, found.url, found.secure) == (9001, "http://localhost:9001", False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("WORKERS", "0"),
        ("URL", "chat.example.org"),
        ("URL", "https://example.org/chat"),
        ("TRUSTED_PROXIES", "10.0.0.0/8 nobody"),
        ("NOW", "yesterday"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=re.escape(f"BALIE_{name} = {value!r}")):
        Settings().load({f"BALIE_{name}": value})


def test_several_workers_need_postgresql() -> None:
    with pytest.raises(BadSetting, match="BALIE_WORKERS = '2': an SQLite file serves one process"):
        Settings().load({"BALIE_WORKERS": "2"})
    found = Settings()
    found.load({"BALIE_WORKERS": "1", "BALIE_DATABASE_URL": "postgresql:///balie"}, workers="2")
    assert found.workers == 2


def test_every_setting_has_its_default_and_its_explanation() -> None:
    documented = Settings().documented()
    assert all(shown and about for _name, shown, about in documented)
    assert {"BALIE_URL", "BALIE_DATABASE_URL", "BALIE_NOW"} <= {name for name, *_ in documented}


def test_the_clock_goes_on_from_where_it_is_set(clock: Any) -> None:
    clock.go(1)
    clock.start_at("2026-10-25T02:30:00+01:00")
    begun = now()
    assert timedelta(0) <= begun - datetime(2026, 10, 25, 1, 30, tzinfo=UTC) < timedelta(seconds=5)
    while now() == begun:  # within a microsecond
        pass
    assert now() > begun
    clock.shift(90)
    assert timedelta(seconds=90) <= now() - begun < timedelta(seconds=95)
    assert now().utcoffset() == timedelta(0)
