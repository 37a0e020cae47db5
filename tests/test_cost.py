"""Cost follows use: who only looks costs a connection and no query; a word in one chat is for its pages."""

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

import db
from db.sqlite import Sqlite
from db.tables import Profile
from features import live
from tests import scenes
from tests.conftest import Desk
from tests.people import Visitor
from tests.processes import ROOT
from tests.streams import Stream
from tests.test_widget import looking

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])  # which tells of each query

PAGES = 60  # of each kind
WATCHED_S = 6.0


class Queries:
    """Every query that the database has been asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[str]]:
        begun = len(self.asked)
        found: list[str] = []
        yield found
        found += self.asked[begun:]


@pytest.fixture
def queries(desk: Desk) -> Queries:
    queries, engine = Queries(), db._connected()
    assert isinstance(engine, Sqlite)
    for connection in (*engine.writer.all, *engine.readers.all, engine.eye):
        connection.set_trace_callback(queries.asked.append)
    return queries


async def in_a_while(queries: Queries) -> list[str]:
    """With nobody doing anything: what the desk does by itself, for all."""
    with queries.watched() as found:
        await asyncio.sleep(WATCHED_S)
    return found


async def quiet(queries: Queries) -> None:
    """Until what has just been opened has been drawn."""

    async def nothing_drawn() -> bool:
        with queries.watched() as found:
            await asyncio.sleep(0.3)
        return not [query for query in found if "message" in query]

    await scenes.eventually_true(nothing_drawn, 30)


@pytest.mark.long
@pytest.mark.usefixtures("clock")
async def test_pages_that_only_look_ask_the_database_nothing(
    desk: Desk, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beats go out all the time; what the desk looks at by itself, it looks at once for all of them."""
    monkeypatch.setattr(live, "BEAT_S", 1)
    async with scenes.live(desk) as talk, contextlib.AsyncExitStack() as stack:
        alone = await in_a_while(queries)
        streams: list[Stream] = []
        for _page in range(PAGES):
            streams.append(await stack.enter_async_context(talk.jef.stream()))
            streams.append(await stack.enter_async_context(talk.an.stream()))
            streams.append(await stack.enter_async_context(looking(desk)))
        assert len(live.streams) == 2 * PAGES + 2
        await quiet(queries)
        crowded = await in_a_while(queries)
        beats = sum(event.name == "beat" for stream in streams for event in stream.events)
    assert beats > 4 * PAGES
    assert alone, "it does look"
    assert len(crowded) < len(alone) + PAGES / 2, "\n".join(crowded)


async def test_a_word_in_one_chat_is_no_work_for_another(desk: Desk, queries: Queries) -> None:
    await Profile.update({Profile.places: 50}).where(Profile.name == "Loket")
    async with scenes.live(desk) as talk, crowd(desk) as others:
        told = [len(stream.events) for _visitor, stream in others]
        asked = await asked_of_threads(queries, talk)
        assert [len(stream.events) for _visitor, stream in others] == told
    chats = {found for query in asked for found in re.findall(r'"chat" = (\d+)|chat IN \((\d+)\)', query)}
    assert {one or other for one, other in chats} <= {talk.chat, "2"}, "whose tab asks An, and theirs"
    assert 0 < len(asked) <= 12


async def asked_of_threads(queries: Queries, talk: scenes.LiveTalk) -> list[str]:
    await quiet(queries)
    with queries.watched() as found:
        await talk.jef.say("Hallo?")
        seen = len(talk.jef.screen.texts("#thread .bubble"))
        await talk.console.wait_for(lambda: len(talk.an.screen.texts(f"#thread-{talk.chat} .bubble")) == seen)
        await quiet(queries)
    return [query for query in found if 'FROM "message"' in query or "FROM message" in query]


@contextlib.asynccontextmanager
async def crowd(desk: Desk, size: int = 8) -> AsyncIterator[list[tuple[Visitor, Stream]]]:
    """Who waits, each in a chat of their own."""
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for _one in range(size):
            visitor = await desk.visitor().begin("Ik ook?")
            stream = await stack.enter_async_context(visitor.stream())
            await stream.wait_for('id="status"')
            found.append((visitor, stream))
        yield found


SELDOM = ("PIL", "authlib", "cryptography", "httpx2", "joserfc", "jwt", "pydantic", "typst")
LOADED = f"import sys, app; app.create_app(); print(*sys.modules.keys() & {set(SELDOM)})"


async def test_what_most_desks_never_need_is_not_loaded(engine: str) -> None:
    """Together it would weigh a quarter of an empty desk."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOADED), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    loaded, _nothing = await process.communicate()
    assert (process.returncode, loaded.split()) == (0, [])
