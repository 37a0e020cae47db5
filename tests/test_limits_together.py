"""Limits hold for the desk, not for each of the processes that serve it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.tables import Attachment
from features import files, tries
from tests.conftest import Clock, Desk
from tests.people import AgentClient
from tests.processes import Served, served
from tests.test_attachments import talking, upload

pytestmark = [pytest.mark.long, pytest.mark.parametrize("engine", ["postgresql"])]


@pytest.fixture
async def other(desk: Desk, example_database: str, clock: Clock, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(example_database, tmp_path, clock) as running:
        yield running


def somebody(at: Desk, username: str) -> AgentClient:
    agent = AgentClient(at.url, username)
    at.people.append(agent)
    return agent


async def test_wrong_passwords_in_two_processes_count_together(desk: Desk, other: Served) -> None:
    """However many come to both at once. And nobody else has to wait for it."""
    places = [desk, other.desk] * tries.MOST
    answers = await asyncio.gather(*(somebody(at, "an").sign_in("mis") for at in places))
    assert Counter(each.status_code for each in answers) == {422: tries.MOST, 429: tries.MOST}
    for at in (desk, other.desk):
        assert (await somebody(at, "an").sign_in()).status_code == 429, "the right one waits, too"
        assert (await somebody(at, "bram").sign_in()).is_success


async def test_files_that_are_sent_to_two_processes_count_together(desk: Desk, other: Served) -> None:
    jef, _an, _chat = await talking(desk)
    windows = [jef, other.desk.visitor(jef.token)]
    sent = [
        upload(window, "/chat/files", b"Dag") for window in windows for _each in range(files.MOST_A_MINUTE)
    ]
    answers = await asyncio.gather(*sent)
    assert Counter(each.status_code for each in answers) == {
        200: files.MOST_A_MINUTE,
        429: files.MOST_A_MINUTE,
    }
    assert await Attachment.count() == files.MOST_A_MINUTE
