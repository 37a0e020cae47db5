"""What is kept goes in time, really; what is on hold stays."""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import db
from db.settings import settings
from db.tables import (
    TABLES,
    Attachment,
    Audit,
    Chat,
    Erasure,
    LegalHold,
    Message,
    Presence,
    Queue,
    Retention,
    Visitor,
)
from features import files, finding, forgetting, retention, searching
from features.finding import Wish
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient, new_key

CANARY = "kanarievogel"
DAY_S = 86_400
KEPT = {"text_days": "30", "file_days": "10", "version": "0"}
# Of a conversation: what refers to it by the schema, and itself.
OF_A_CHAT: list[tuple[Any, Any]] = [*forgetting.referring_to(Chat), (Chat, Chat.id)]


async def talk_with_everything(desk: Desk, words: str = CANARY, agent: str = "an") -> scenes.Talk:
    """A conversation that has left its traces wherever one can, and is over."""
    talk = await scenes.connected(desk, f"Vraag {words}", agent)
    await talk.an.say(talk.chat, f"Antwoord {words}")
    await talk.an.must(
        "POST", f"/chats/{talk.chat}/private-messages", {"key": new_key(), "body": f"Nota {words}"}
    )
    menu = {"key": new_key(), "title": f"Kies {words}", "option": ["Dit", "Dat"]}
    await talk.an.must("POST", f"/chats/{talk.chat}/offers", menu)
    await talk.an.must("PUT", f"/chats/{talk.chat}/case", {"number": f"Z {words}"})
    await send_file(talk, words)
    await talk.jef.end()
    await talk.jef.must("POST", "/chat/rating", {"value": "4", "remark": f"Dank {words}"})
    await searching.catch_up()
    return talk


async def send_file(talk: scenes.Talk, words: str) -> None:
    answer = await talk.jef.client.post(
        "/chat/files",
        content=f"inhoud {words}".encode() * 200,
        headers={
            "X-Name": f"{words}.txt",
            "X-Key": new_key(),
            "Content-Type": "application/octet-stream",
        },
    )
    assert answer.is_success, answer.text
    row = await Attachment.select().where(Attachment.seq.is_null()).first()
    assert row
    assert row["sha256"], row
    await talk.jef.must("POST", "/chat/messages", {"key": new_key(), "body": "", "files": str(row["id"])})


async def keep(desk: Desk, **form: str) -> AgentClient:
    """Every queue keeps it as long."""
    admin = await scenes.sign_in_admin(desk)
    for row in await Queue.select(Queue.id):
        await admin.must("PUT", f"/settings/privacy/queues/{row['id']}", KEPT | form)
    return admin


def places_with(url: str, words: str) -> Iterator[Path]:
    """Files of the database and of attachments in which it can be read."""
    own = [*Path(settings.data).rglob("*")]
    if url.startswith("sqlite"):
        database = Path(url.removeprefix("sqlite:///"))
        own += database.parent.glob(f"{database.name}*")
    return (path for path in own if path.is_file() and words.encode() in path.read_bytes())


async def rows_with(words: str) -> list[str]:
    """Tables in which it can be read."""
    found = []
    for table in TABLES:
        rows = await table.select()
        if any(words in str(value) for row in rows for value in row.values()):
            found.append(table._meta.tablename)
    if await finding.ids(Wish(words=words)):
        found.append("log_words")
    return found


async def is_wiped() -> bool:
    return not await Erasure.exists().where(Erasure.wiped_at.is_null())


async def counts() -> dict[str, int]:
    """But who is here: that goes by itself, whatever is kept."""
    return {
        table._meta.tablename: await table.count().where(column.is_not_null())
        for table, column in OF_A_CHAT
        if table is not Presence
    }


async def test_what_has_had_its_time_is_nowhere_any_more(
    desk: Desk, clock: Clock, example_database: str
) -> None:
    await talk_with_everything(desk)
    await keep(desk)
    kept = {"chat", "message", "private_message", "offer", "rating", "attachment", "log_words"}
    assert kept <= set(await rows_with(CANARY))
    assert list(places_with(example_database, CANARY)), "it is there to be found"
    clock.shift(31 * DAY_S)
    gone = await retention.purge()
    assert (gone.conversations, len(gone.hashes)) == (1, 1)
    assert await rows_with(CANARY) == []
    assert set((await counts()).values()) == {0}
    assert await Visitor.count() == 0
    await scenes.eventually_true(is_wiped)
    assert list(places_with(example_database, CANARY)) == []


@pytest.mark.parametrize("engine", ["sqlite"])  # PostgreSQL cleans up beside those who talk
async def test_the_database_is_not_written_anew_while_people_talk(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would wait for it, if it is large."""
    over = await talk_with_everything(desk)
    lea = await desk.visitor().begin("Dag")
    monkeypatch.setattr(forgetting, "QUICK_BYTES", 0)
    async with db.transaction():
        await forgetting.receipt(None, await forgetting.erase([int(over.chat)]))
    assert not await forgetting.wiped()
    assert not await is_wiped()
    await lea.end()
    assert await forgetting.wiped()
    assert await is_wiped()


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_nor_do_they_keep_it_from_happening_for_ever(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = await talk_with_everything(desk)
    await desk.visitor().begin("Dag")
    monkeypatch.setattr(forgetting, "QUICK_BYTES", 0)
    async with db.transaction():
        await forgetting.receipt(None, await forgetting.erase([int(over.chat)]))
    clock.shift(forgetting.AT_LAST.total_seconds())
    assert await forgetting.wiped()


async def test_what_has_not_had_its_time_stays(desk: Desk, clock: Clock, example_database: str) -> None:
    talk = await talk_with_everything(desk)
    await keep(desk)
    before = await counts()
    clock.shift(9 * DAY_S)
    assert (await retention.purge()).conversations == 0
    assert await counts() == before
    assert (await talk.jef.get("/chat")).is_success
    assert any("files" in str(path) for path in places_with(example_database, CANARY))


async def test_a_queue_without_a_limit_keeps_everything(desk: Desk, clock: Clock) -> None:
    await talk_with_everything(desk)
    clock.shift(4_000 * DAY_S)
    assert (await retention.purge()).conversations == 0
    await keep(desk, text_days="0", file_days="0")
    assert (await retention.purge()).conversations == 0


async def test_files_go_before_their_conversation_and_their_names_stay(desk: Desk, clock: Clock) -> None:
    talk = await talk_with_everything(desk)
    await keep(desk)
    row = await Attachment.select().first()
    assert row
    clock.shift(11 * DAY_S)
    gone = await retention.purge()
    assert (gone.conversations, gone.hashes) == (0, {row["sha256"]})
    assert not files.place(row["sha256"]).exists()
    assert await Chat.count() == 1
    assert (await Attachment.select().first() or {})["name"] == f"{CANARY}.txt"
    said = [json.loads(each["data"]) for each in await Message.select().where(Message.chat == int(talk.chat))]
    assert [each["gone"] for data in said for each in data.get("files", ())] == [True]
    assert (await retention.purge()).hashes == set(), "once"


async def test_a_file_that_somebody_else_has_sent_too_stays(desk: Desk, clock: Clock) -> None:
    first = await talk_with_everything(desk)
    await Queue.update({Queue.grace_s: 600}, force=True)
    await keep(desk)
    clock.shift(11 * DAY_S)
    row = await Attachment.select().where(Attachment.chat == int(first.chat)).first()
    assert row
    again = {name: value for name, value in row.items() if name != "id"}
    again["chat"] = await a_running_chat(desk)
    await Attachment.insert(Attachment(**again))
    assert row["sha256"] in (await retention.purge()).hashes
    assert files.place(row["sha256"]).exists()


async def a_running_chat(desk: Desk) -> int:
    await desk.visitor().begin("Nog iets")
    row = await Chat.select(Chat.id).order_by(Chat.id, ascending=False).first()
    assert row
    return int(row["id"])


async def test_a_running_conversation_never_goes(desk: Desk, clock: Clock) -> None:
    await keep(desk)
    await scenes.connected(desk, "Al heel lang")
    clock.shift(400 * DAY_S)
    assert (await retention.purge()).conversations == 0


async def test_what_is_on_hold_stays_until_it_is_released(
    desk: Desk, clock: Clock, example_database: str
) -> None:
    talk = await talk_with_everything(desk)
    admin = await keep(desk)
    path = f"/settings/privacy/holds/{talk.chat}"
    await admin.must("PUT", path, {"reason": "Klacht 12"})
    before = await counts()
    clock.shift(400 * DAY_S)
    assert not (await retention.purge()).hashes
    assert await counts() == before
    admin = await scenes.sign_in_admin(desk)
    page = (await admin.get("/settings/privacy/holds")).text
    assert "Klacht 12" in page
    await admin.must("DELETE", path)
    assert (await admin.send("DELETE", path)).status_code == 404
    assert (await retention.purge()).conversations == 1
    assert list(await LegalHold.select()) == []
    told = [row["what"] for row in await Audit.select().where(Audit.about == f"chat:{talk.chat}")]
    assert told == ["held", "released"]


async def test_nobody_can_delete_what_is_on_hold_by_another_way(desk: Desk) -> None:
    talk = await talk_with_everything(desk)
    admin = await scenes.sign_in_admin(desk)
    await admin.must("PUT", f"/settings/privacy/holds/{talk.chat}", {"reason": "Klacht 12"})
    async with db.transaction():
        assert (await forgetting.erase([int(talk.chat)])).conversations == 0
    assert await Chat.exists().where(Chat.id == int(talk.chat))


@pytest.mark.parametrize(
    ("form", "name", "words"),
    [
        ({"chat": "999", "reason": "x"}, "chat", "Er is geen gesprek met dit nummer."),
        ({"chat": "zeven", "reason": "x"}, "chat", "Er is geen gesprek met dit nummer."),
        ({"chat": "", "reason": " "}, "reason", "Zeg waarom het moet blijven."),
        ({"chat": "", "reason": "x" * 201}, "reason", "201 tekens; er passen er hoogstens 200."),
    ],
)
async def test_what_is_wrong_with_a_hold_is_said_and_what_was_typed_stays(
    desk: Desk, form: dict[str, str], name: str, words: str
) -> None:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get("/settings/privacy/holds")).text)
    answer = await admin.post("/settings/privacy/holds", form)
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert admin.screen.text(f"#{name}-error") == words
    assert admin.screen.first(f"#{name}").attributes["value"] == form[name]
    assert await LegalHold.count() == 0


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"text_days": "6"}, "text_days", "0, of een geheel getal van 7 tot 36.500."),
        ({"text_days": "een jaar"}, "text_days", "0, of een geheel getal van 7 tot 36.500."),
        ({"file_days": ""}, "file_days", "0, of een geheel getal van 1 tot 36.500."),
        ({"file_days": "31"}, "file_days", "Bestanden worden uiterlijk samen met hun gesprek gewist."),
    ],
)
async def test_a_limit_that_cannot_be_is_refused(
    desk: Desk, changes: dict[str, str], name: str, words: str
) -> None:
    admin = await scenes.sign_in_admin(desk)
    row = await Queue.select(Queue.id).first()
    assert row
    answer = await admin.send("PUT", f"/settings/privacy/queues/{row['id']}", KEPT | changes)
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert admin.screen.text(f"#{name}-error") == words
    assert admin.screen.first(f"#{name}").attributes["value"] == (KEPT | changes)[name]
    assert await Retention.count() == 0


async def test_two_admins_do_not_undo_each_other(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    row = await Queue.select(Queue.id).first()
    assert row
    path = f"/settings/privacy/queues/{row['id']}"
    assert (await admin.send("PUT", path, KEPT)).status_code == 200
    late = await admin.send("PUT", path, KEPT | {"text_days": "60"})
    assert late.status_code == 409
    assert "Beheerder heeft dit om" in late.text
    assert (await admin.send("PUT", path, KEPT | {"text_days": "60", "version": "1"})).status_code == 200
    assert [each["text_days"] for each in await Retention.select()] == [60]


async def test_it_goes_by_itself_at_the_start(desk: Desk, clock: Clock) -> None:
    await talk_with_everything(desk)
    await keep(desk)
    clock.shift(31 * DAY_S)
    stop = asyncio.Event()
    task = asyncio.create_task(retention.purge_nightly(stop))
    await scenes.eventually_true(has_gone)
    stop.set()
    await task
    receipts: list[dict[str, Any]] = await Erasure.select()
    assert sum(each["conversations"] for each in receipts) == 1
    assert {each["agent"] for each in receipts} == {None}


async def has_gone() -> bool:
    return not await Chat.exists()


async def test_an_agent_keeps_out(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for path in ("/settings/privacy", "/settings/privacy/holds"):
        assert (await talk.an.get(path)).status_code == 403
    assert (
        await talk.an.send("PUT", f"/settings/privacy/holds/{talk.chat}", {"reason": "x"})
    ).status_code == 403
    assert await LegalHold.count() == 0


async def test_who_keeps_something_elsewhere_is_told_and_nothing_goes_when_that_fails(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await talk_with_everything(desk)
    told: list[list[int]] = []

    async def forget(chats: Sequence[int]) -> None:
        told.append(list(chats))
        assert len(told) > 1, "the first time it fails"

    monkeypatch.setattr(forgetting, "forgetters", [forget])
    before = await counts()
    for _twice in range(2):
        with contextlib.suppress(AssertionError):
            async with db.transaction():
                await forgetting.erase([int(talk.chat)])
        if len(told) == 1:
            assert await counts() == before
    assert told == [[int(talk.chat)]] * 2
    assert set((await counts()).values()) == {0}
