"""The log: everything that was said and done, for who may read it, and each look written down."""

import io
import json
import re
from typing import Any

import pytest
from pypdf import PdfReader

import db
from db.tables import Audit, Role
from features import idle, searching
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient, new_key
from tests.test_attachments import added, say

SECRET = "Deze man belde gisteren ook al."
WITHDRAWN = "Dit was voor iemand anders."


async def told(desk: Desk) -> tuple[scenes.Talk, AgentClient]:
    """A conversation with something of everything, and an admin who may read the log."""
    talk = await scenes.connected(desk, "Waar mag mijn caravan staan?")
    chat = talk.chat
    await talk.an.say(chat, "Wat is het kenteken?")
    await talk.an.must("POST", f"/chats/{chat}/private-messages", {"key": new_key(), "body": SECRET})
    plan = await added(talk.an, f"/chats/{chat}/files", b"het plan", "plan.txt")
    await say(talk.an, f"/chats/{chat}/messages", plan, "Hier is het plan")
    note = await added(talk.an, f"/chats/{chat}/private-files", b"intern", "intern.txt")
    await say(talk.an, f"/chats/{chat}/private-messages", note, "zie bijlage")
    answer = await talk.an.say(chat, WITHDRAWN)
    seqs = re.findall(r'data-seq="(\d+)"', answer.text)
    await talk.an.must("POST", f"/chats/{chat}/messages/{seqs[-1]}/withdrawal")
    menu = {"key": new_key(), "title": "Waarheen?", "option": ["Camping", "Kade"]}
    await talk.an.must("POST", f"/chats/{chat}/offers", menu)
    await talk.jef.open()
    offer = re.search(r"/chat/offers/(\d+)/choice", talk.jef.screen.tree.html or "")
    assert offer
    await talk.jef.must("POST", f"/chat/offers/{offer[1]}/choice", {"option": "1"})
    await talk.an.must("PUT", f"/chats/{chat}/case", {"number": "2026-PARK-7"})
    await talk.jef.end()
    await talk.jef.must("POST", "/chat/rating", {"value": "4", "remark": "Vlot geholpen"})
    await searching.catch_up()
    return talk, await scenes.sign_in_admin(desk)


async def looks(what: str = "") -> list[dict[str, Any]]:
    rows = await Audit.select().order_by(Audit.id)
    return [row for row in rows if not what or row["what"] == what]


# ---- one conversation ------------------------------------------------------------------------------------


async def test_one_conversation_holds_all_that_was_said_and_done_in_order(desk: Desk) -> None:
    talk, admin = await told(desk)
    admin.screen.show((await admin.must("GET", f"/settings/log/{talk.chat}")).text)
    thread = admin.screen.text(".log-thread")
    order = [
        "Gevraagd aan An (wachtrij Algemeen)",
        "An heeft geaccepteerd",
        "Wat is het kenteken?",
        SECRET,
        "plan.txt",
        "intern.txt",
        WITHDRAWN,
        "Waarheen?",
        "Kade",
        "De bezoeker heeft het gesprek beëindigd",
        "De bezoeker beoordeelde het gesprek: Tevreden (4/5)",
        "Vlot geholpen",
    ]
    places = [thread.find(words) for words in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)
    private = [node.text() for node in admin.screen.css(".log-thread .private")]
    assert any(SECRET in words for words in private)
    assert not any(WITHDRAWN in words for words in private)
    assert "Ingetrokken om" in admin.screen.text(".log-thread .withdrawn")
    facts = admin.screen.text(".log-facts")
    for words in (
        "Jef Peeters",
        "Algemeen",
        "Nederlands",
        "2026-PARK-7",
        "Door de bezoeker",
        "Tevreden (4/5)",
    ):
        assert words in facts


async def test_who_was_asked_and_said_no_is_told_with_the_reason(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    await desk.visitor().begin("Is de hondenweide open?")
    await an.open()
    await an.reject()
    admin = await scenes.sign_in_admin(desk)
    chat = (await scenes.chats())[0]["id"]
    admin.screen.show((await admin.must("GET", f"/settings/log/{chat}")).text)
    assert "An heeft afgewezen" in admin.screen.text(".log-thread")
    assert "An heeft geaccepteerd" not in admin.screen.text(".log-thread")
    assert "Nog niet afgelopen" in admin.screen.text(".log-facts")


async def test_the_question_to_a_silent_visitor_and_the_answer_are_kept(desk: Desk, clock: Clock) -> None:
    talk = await scenes.connected(desk)
    await talk.an.say(talk.chat, "Hebt u het formulier?")
    admin = await scenes.sign_in_admin(desk)
    async with talk.jef.stream() as window, talk.an.stream() as console:
        await window.wait_for("formulier")
        await console.wait_for("formulier")
        clock.shift(601)
        await idle.look()
    await talk.jef.must("POST", "/chat/here")
    admin.screen.show((await admin.must("GET", f"/settings/log/{talk.chat}")).text)
    assert "Bent u er nog?" in admin.screen.text(".log-thread")
    assert "De bezoeker was er nog" in admin.screen.text(".log-thread")


async def test_a_conversation_that_is_not_there_is_not_found(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    for chat in ("999", "99999999999999999999"):
        assert (await admin.get(f"/settings/log/{chat}")).status_code == 404
    await desk.agent("an", "Loket", ready=True)
    jef = desk.visitor()
    await jef.open()
    await jef.press()
    rows = await db.sql("SELECT id FROM chat")
    assert rows, "somebody fills in the form"
    assert (await admin.get(f"/settings/log/{rows[0]['id']}")).status_code == 404
    assert not await looks("looked")


# ---- searching -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [("CARAVAN kenteken", 1), ("gisteren", 1), ("iemand anders", 1), ("intern.txt", 1), ("boot", 0)],
)
async def test_words_find_public_private_and_withdrawn_texts(desk: Desk, words: str, found: int) -> None:
    talk, admin = await told(desk)
    admin.screen.show((await admin.must("GET", f"/settings/log?words={words}")).text)
    assert len(admin.screen.css(".log-table tbody tr")) == found
    assert (f"/settings/log/{talk.chat}" in (admin.screen.tree.html or "")) == bool(found)


async def test_a_search_leaves_its_filters_names_in_the_audit_and_none_of_its_words(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    await admin.must("GET", "/settings/log?words=Bloemkool&person=jan@example.be&private=yes")
    (row,) = await looks("searched")
    assert json.loads(row["fields"]) == {"words": None, "person": None, "private": None}
    assert row["about"] == "log"
    everything = json.dumps([row async for row in rows_of_audit()], default=str)
    assert "loemkool" not in everything
    assert "example.be" not in everything


async def rows_of_audit() -> Any:
    for row in await Audit.select():
        yield row


async def test_a_day_that_is_none_is_said_at_its_field_and_nothing_is_shown(desk: Desk) -> None:
    _talk, admin = await told(desk)
    answer = await admin.get("/settings/log?since=2026-02-30&words=caravan")
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert "Dit is geen dag" in admin.screen.text("#since-error")
    assert admin.screen.first("#words").attributes["value"] == "caravan"
    assert not admin.screen.css(".log-table")


# ---- who may, and that it is written down ----------------------------------------------------------------


async def test_every_look_is_written_down(desk: Desk) -> None:
    talk, admin = await told(desk)
    await admin.must("GET", f"/settings/log/{talk.chat}")
    await admin.must("GET", f"/settings/log/{talk.chat}/export?format=jsonl")
    await admin.must("GET", "/settings/log/export?format=jsonl&words=caravan")
    found = [(row["what"], row["about"], json.loads(row["fields"])) for row in await looks()]
    assert found == [
        ("looked", f"chat:{talk.chat}", {}),
        ("exported", f"chat:{talk.chat}", {"format": [None, "jsonl"]}),
        ("exported", "log", {"words": None, "conversations": [None, 1], "format": [None, "jsonl"]}),
    ]


async def test_an_agent_without_the_permission_reads_nothing_of_the_log(desk: Desk) -> None:
    talk, _admin = await told(desk)
    chloe = await desk.agent("chloe", "Loket")
    for path in ("", f"/{talk.chat}", "/export", f"/{talk.chat}/export"):
        answer = await chloe.get(f"/settings/log{path}")
        assert answer.status_code == 403
        assert SECRET not in answer.text
    assert not await looks()


async def test_a_permission_that_is_taken_away_ends_the_looking(desk: Desk) -> None:
    talk, admin = await told(desk)
    await admin.must("GET", f"/settings/log/{talk.chat}")
    await Role.update({Role.permissions: '["read_audit"]'}).where(Role.name == "admin")
    assert (await admin.get(f"/settings/log/{talk.chat}")).status_code == 403


@pytest.mark.parametrize("room", ["files", "private-files"])
async def test_files_are_for_who_may_read_the_log_too_and_each_is_written_down(desk: Desk, room: str) -> None:
    talk, admin = await told(desk)
    table = "attachment" if room == "files" else "private_attachment"
    (row,) = await db.sql(f"SELECT id FROM {table}")
    url = f"/chats/{talk.chat}/{room}/{row['id']}"
    assert url in (await admin.must("GET", f"/settings/log/{talk.chat}")).text
    eva = await desk.agent("eva", "Loket")  # a supervisor: may chat and read the log, was not in it
    for reader in (admin, eva):
        assert (await reader.must("GET", url)).content in (b"het plan", b"intern")
    assert [each["about"] for each in await looks("looked")][1:] == [f"{table}:{row['id']}"] * 2
    before = len(await looks())
    assert (await talk.an.must("GET", url)).content, "who was in it needs no log"
    assert (await (await desk.agent("chloe", "Loket")).get(url)).status_code == 404
    assert (await desk.nobody().get(url)).status_code == 401
    assert (await admin.get(f"/chats/999/{room}/{row['id']}")).status_code == 404
    assert len(await looks()) == before


async def test_the_log_sends_no_file_in(desk: Desk) -> None:
    """It may read; it may not write."""
    talk, admin = await told(desk)
    for method, path in (
        ("POST", "files"),
        ("POST", "private-files"),
        ("POST", "private-messages"),
        ("DELETE", "files/1"),
    ):
        assert (await admin.send(method, f"/chats/{talk.chat}/{path}")).status_code == 403


# ---- taking it along -------------------------------------------------------------------------------------


async def test_json_lines_hold_a_conversation_a_line_with_everything(desk: Desk) -> None:
    talk, admin = await told(desk)
    marie = await desk.visitor().begin("Is de hondenweide open?", name="Marie Claes")
    await marie.end()
    await searching.catch_up()
    answer = await admin.must("GET", "/settings/log/export?format=jsonl")
    assert "attachment" in answer.headers["content-disposition"]
    newest, oldest = [json.loads(line) for line in answer.text.splitlines()]
    assert (newest["visitor"]["name"], oldest["visitor"]["name"]) == ("Marie Claes", "Jef Peeters")
    assert newest["ended_how"] == "unanswered"
    items = {item["text"]: item for item in oldest["items"]}
    assert items[SECRET]["private"]
    assert not items[WITHDRAWN]["private"]
    assert items[WITHDRAWN]["withdrawn_at"]
    assert [item["files"][0]["name"] for item in oldest["items"] if "files" in item] == [
        "plan.txt",
        "intern.txt",
    ]
    assert (oldest["case_number"], oldest["rating"]) == (
        "2026-PARK-7",
        {"value": 4, "remark": "Vlot geholpen"},
    )
    (choice,) = [item for item in oldest["items"] if item["kind"] == "choice"]
    assert choice["data"]["chosen"] == ["Kade"]
    one = (await admin.must("GET", f"/settings/log/{talk.chat}/export?format=jsonl")).text
    assert [json.loads(line) for line in one.splitlines()] == [oldest]
    only = (await admin.must("GET", "/settings/log/export?format=jsonl&words=hondenweide")).text
    assert [json.loads(line) for line in only.splitlines()] == [newest]


async def test_the_pdf_holds_everything_and_says_on_each_page_that_it_is_internal(desk: Desk) -> None:
    talk, admin = await told(desk)
    await (await desk.visitor().begin("Is de hondenweide open?", name="Marie Claes")).end()
    answer = await admin.must("GET", "/settings/log/export?format=pdf")
    assert answer.headers["content-type"] == "application/pdf"
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages]
    assert len(pages) >= 2
    for page in pages:
        assert "Intern: bevat privéberichten" in " ".join(page.split())
    text = " ".join(" ".join(pages).split())
    for words in (SECRET, WITHDRAWN, "plan.txt", "intern.txt", "Kade", "hondenweide", "Vlot geholpen"):
        assert words in text
    mine = (await talk.jef.must("GET", "/chat/transcript.pdf")).content
    theirs = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(mine)).pages)
    assert "caravan" in theirs
    assert SECRET not in theirs
    assert "Intern" not in theirs


@pytest.mark.parametrize("path", ["export?format=exe", "export?words=bestaatniet", "999/export?format=pdf"])
async def test_what_cannot_be_exported_is_not_found_and_not_noted(desk: Desk, path: str) -> None:
    _talk, admin = await told(desk)
    assert (await admin.get(f"/settings/log/{path}")).status_code == 404
    assert not await looks("exported")
