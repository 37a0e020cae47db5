"""What a search finds: the same on both databases, whatever the case, the accents and the spaces."""

import asyncio
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

import db
from features import searching
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import new_key

CASES = [
    # (what was said, what is looked for, whether it is found)
    ("Mag ik mijn CARAVAN parkeren?", "caravan", True),
    ("Mag ik mijn caravan parkeren?", "Caravan PARKEREN", True),
    ("Mag ik mijn caravan parkeren?", "parkeren caravan", True),
    ("Mag ik mijn caravan parkeren?", "park", True),
    ("Mag ik mijn caravan parkeren?", "keren", False),
    ("Mag ik mijn caravan parkeren?", "caravan boot", False),
    ("Mag ik dit?", "di", False),  # two letters are a whole word
    ("Een café in Brussel, à côté", "cafe cote", True),
    ("Een cafe in Brussel", "CAFÉ", True),
    ("Cafe\u0301 en Zoë", "café zoe", True),
    ("Łódź ligt in Polen", "lodz", True),
    ("lodz", "Łódź", True),
    ("Søren Østergård", "soren ostergard", True),
    ("Hauptstraße 5", "HAUPTSTRASSE", True),
    ("hauptstrasse", "Straße", False),
    ("Đorđe", "dorde", True),
    ("een œuvre", "oeuvre", True),
    ("Æbleskiver", "aebleskiver", True),
    ("Işık", "isik", True),
    ("İstanbul", "istanbul", True),
    ("ﬁets", "fiets", True),
    ("l’agent de l'accueil", "agent accueil", True),
    ("auto-\u00ad onderdelen, fiets\u00adpad", "fietspad", True),
    ("Bel 02 123 45 67 morgen", "021234567", True),
    ("Bel 021234567 morgen", "02 123 45 67", True),
    ("Bel 02/123.45.67", "02 1234567", True),
    ("Bel 02 123 45 67, 1000 Brussel", "021234567", True),
    ("Bel 02 123 45 67", "123 45 67", True),
    ("Bel 02 123 45 67", "021234568", False),
    ("Bel 02 123 45 67", "67 45 123", False),
    ("85.07.30-033.28", "85073003328", True),
    ("BE68 5390 0754 7034", "be68539007547034", True),
    ("BE68539007547034", "BE68 5390 0754 7034", True),
    ("2\u202f500\u00a0euro", "2500", True),
    ("dossier 2026-VERG-0042", "2026-VERG-0042", True),
    ("regel 1\n2 regels", "12", True),
    ("één, twee; drie", "!?", False),
    ("één, twee; drie", "\"twee\" OR 'drie' & * :", False),
    ("één, twee or drie", "\"twee\" OR 'drie' & * :*", True),
    ("Привет, Мир", "привет", True),
    ("مرحبا بالعالم", "مرحبا", True),
    ("مَرْحَبًا", "مرحبا", True),
    ("ΟΔΟΣ", "οδος", True),
    ("名前は 田中", "田中", True),
    ("x" * 3000, "x" * 3000, True),
    ("een emoji 🚲 hier", "emoji hier", True),
    ("NULL \\ ' \" -- tekst", "null tekst", True),
]


@pytest.fixture
async def many(connected: str, clock: Clock) -> dict[str, int]:
    """A conversation for each text, indexed."""
    from db.tables import Chat, Message, Queue, Visitor, Widget
    from tests.room import made

    queue, widget = await made(Queue(name="q")), await made(Widget(key="k"))
    found: dict[str, int] = {}
    for at, text in enumerate(dict.fromkeys(case[0] for case in CASES)):
        visitor = await made(Visitor(widget=widget, token_hash=str(at)))
        chat = await made(
            Chat(visitor=visitor, widget=widget, queue=queue, state="ended", started_at=clock.now(), seq=1)
        )
        await made(Message(chat=chat, seq=1, key=f"key-{at:08}", author="agent", body=text))
        found[text] = chat
    await searching.catch_up()
    return found


async def test_both_databases_give_the_same_answers(many: dict[str, int]) -> None:
    wrong = []
    for text, words, expected in CASES:
        if (many[text] in await find(words)) != expected:
            wrong.append((text, words, expected))
    assert not wrong


async def due() -> list[dict[str, Any]]:
    return await db.sql(searching.DUE.replace("{but}", "0"), 10)


async def find(words: str) -> list[int]:
    sought = searching.having(words)
    query = f"SELECT {sought.id} AS id FROM {sought.table} WHERE {sought.condition}"
    return sorted(row["id"] for row in await db.sql(query, sought.argument))


async def test_nothing_is_due_when_all_has_been_written(many: dict[str, int]) -> None:
    assert not await due()
    await db.sql("UPDATE chat SET log_seq = log_seq - 1 WHERE id = {}", many["lodz"])
    assert [row["id"] for row in await due()] == [many["lodz"]]
    await searching.catch_up()
    assert not await due()


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_conversation_to_which_something_happens_is_not_waited_for(
    many: dict[str, int], connected: str
) -> None:
    """Whoever did it could be waiting for another one, whose words have just been written."""
    first, second = sorted(many.values())[:2]
    await db.sql(f"UPDATE chat SET log_seq = -1 WHERE id IN ({first}, {second})")
    other = await asyncpg.connect(connected)
    async with other.transaction():
        await other.execute(f"UPDATE chat SET returned = true WHERE id = {second}")
        async with asyncio.timeout(5):
            await searching.catch_up()
        due = await db.sql("SELECT id FROM chat WHERE log_seq = -1")
        assert [row["id"] for row in due] == [second]
        await other.execute(f"UPDATE chat SET returned = true WHERE id = {first}")
    await other.close()
    await searching.catch_up()
    assert not await db.sql("SELECT id FROM chat WHERE log_seq = -1")


async def test_what_is_forgotten_is_not_found(many: dict[str, int]) -> None:
    assert many["lodz"] in await find("lodz")
    async with db.transaction():
        await searching.forget(many["lodz"])
    assert many["lodz"] not in await find("lodz")


async def test_all_that_belongs_to_a_conversation_finds_it(desk: Desk) -> None:
    talk = await scenes.connected(desk, "Waar mag mijn caravan staan?")
    chat = int(talk.chat)
    await talk.an.say(chat, "Wat is het kenteken?")
    await talk.an.must(
        "POST", f"/chats/{chat}/private-messages", {"key": new_key(), "body": "oplettenmetdeze"}
    )
    await talk.an.must("PUT", f"/chats/{chat}/case", {"number": "DOS 2026 17"})
    await searching.catch_up()
    for words in (
        "caravan",
        "kenteken",
        "oplettenmetdeze",
        "dos 202617",
        "jef peeters",
        "an",
        "algemene vraag",
    ):
        assert await find(words) == [chat], words
    assert await find("hondenweide") == []


async def test_a_case_number_and_a_remark_that_come_later_are_found_too(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await searching.catch_up()
    await talk.an.must("PUT", f"/chats/{talk.chat}/case", {"number": "Z-9"})
    await searching.catch_up()
    assert await find("z 9") == [int(talk.chat)]
    await talk.jef.end()
    await searching.catch_up()
    await talk.jef.must("POST", "/chat/rating", {"value": "5", "remark": "uitmuntend"})
    await searching.catch_up()
    assert await find("uitmuntend") == [int(talk.chat)]


async def test_while_it_goes_on_it_is_written_down_now_and_then(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the desk's own rounds, and not for each word; what has ended is not made to wait."""
    moment = time.monotonic() + 1_000  # no other round is at it
    monkeypatch.setattr(searching, "time", SimpleNamespace(monotonic=lambda: moment))
    monkeypatch.setattr(searching, "resting", {})  # of another desk, with the same numbers
    talk = await scenes.connected(desk, "Mag dat ook met wortel?")
    await scenes.eventually_true(partial(kept_up, "wortel"))
    await scenes.eventually(lambda: int(talk.chat) in searching.resting)  # the desk's own round may be at it
    await talk.jef.say("komkommer")
    await searching.keep_up()
    assert await find("komkommer") == []
    moment += searching.REST_S + 1
    await scenes.eventually_true(partial(kept_up, "komkommer"))
    await talk.jef.say("aubergine")
    await talk.jef.end()
    await scenes.eventually_true(partial(kept_up, "aubergine"))


async def kept_up(words: str) -> bool:
    await searching.keep_up()
    return bool(await find(words))


async def test_who_only_fills_in_the_form_is_not_in_the_log(desk: Desk) -> None:
    jef = desk.visitor()
    await jef.open()
    await jef.press()
    await searching.catch_up()
    assert await db.sql("SELECT count(*) AS n FROM log_words") == [{"n": 0}]
