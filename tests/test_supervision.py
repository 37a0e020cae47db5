"""Supervision: whoever leads the desk sees what goes on, reads along and whispers; nobody else does."""

import re

from db.tables import Attachment, Audit, Message, PrivateAttachment, PrivateMessage, Role
from features import routing
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient, new_key
from tests.test_attachments import added, say

WORDS = "Vraag naar het dossiernummer."


async def watching(desk: Desk, path: str = "/settings/running") -> AgentClient:
    eva = await desk.agent("eva")
    eva.screen.show((await eva.must("GET", path)).text)
    return eva


async def test_all_chats_that_wait_or_run_are_listed(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await desk.visitor().begin("Is het zwembad open?", name="Marie Claes")
    eva = await watching(desk)
    marie, jef = eva.screen.texts("#running tbody tr")
    assert "Marie Claes" in marie
    assert "Wacht" in marie
    assert "Jef Peeters" in jef
    assert "An" in jef
    await talk.jef.end()
    eva.screen.show((await eva.must("GET", "/settings/running/list")).text)
    assert "Jef Peeters" not in eva.screen.text("#running")


async def test_a_supervisor_reads_along_and_that_is_audited(desk: Desk) -> None:
    talk = await scenes.connected(desk, "Waar mag mijn caravan staan?")
    note = {"key": new_key(), "body": "Lastige klant."}
    await talk.an.must("POST", f"/chats/{talk.chat}/private-messages", note)
    seen = await Message.count()
    eva = await watching(desk, f"/settings/running/{talk.chat}")
    thread = eva.screen.text("#running-thread")
    assert "caravan" in thread
    assert "Lastige klant." in thread
    await talk.jef.say("Het is een kleine.")
    await eva.must("GET", f"/settings/running/{talk.chat}/thread")
    assert "Het is een kleine." in eva.screen.text("#running-thread")
    looks = await Audit.select(Audit.about, Audit.agent.username).where(Audit.what == "looked")
    assert [(row["about"], row["agent.username"]) for row in looks] == [(f"chat:{talk.chat}", "eva")]
    assert await Message.count() == seen + 1, "nobody in the chat is told"


async def test_a_whisper_reaches_the_agent_and_never_the_visitor(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        eva = await watching(desk, f"/settings/running/{talk.chat}")
        form = {"key": key_of(eva), "body": WORDS}
        await eva.must("POST", f"/settings/running/{talk.chat}/whisper", form)
        await talk.console.wait_for(WORDS)
        assert WORDS in eva.screen.text("#running-thread")
        await eva.must("POST", f"/settings/running/{talk.chat}/whisper", form)
        assert await PrivateMessage.count() == 1, "the same one again is the same one"
        await talk.jef.say("Dank u")
        await talk.window.wait_for("Dank u")
        await talk.jef.open()
        assert WORDS not in (talk.jef.screen.tree.html or "")


def key_of(eva: AgentClient) -> str:
    return str(eva.screen.first("#whisper [name=key]").attributes["value"])


async def test_an_empty_whisper_is_refused_in_words(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    eva = await watching(desk, f"/settings/running/{talk.chat}")
    answer = await eva.post(f"/settings/running/{talk.chat}/whisper", {"key": key_of(eva), "body": "  "})
    assert answer.status_code == 422
    assert re.search(r'id="body-error"', answer.text)
    assert not await PrivateMessage.count()


async def test_what_has_ended_is_not_read_along(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.end()
    eva = await desk.agent("eva")
    assert (await eva.get(f"/settings/running/{talk.chat}")).status_code == 404
    answer = await eva.must("GET", f"/settings/running/{talk.chat}/thread")
    assert "Dit gesprek is voorbij." in answer.text
    assert scenes.QUESTION not in answer.text
    whisper = {"key": new_key(), "body": WORDS}
    assert (await eva.post(f"/settings/running/{talk.chat}/whisper", whisper)).status_code == 404


async def test_an_agent_without_that_permission_reads_nothing(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    bram = await desk.agent("bram")
    for path in ("", "/list", f"/{talk.chat}", f"/{talk.chat}/thread"):
        assert (await bram.get(f"/settings/running{path}")).status_code == 403
    whisper = {"key": new_key(), "body": WORDS}
    assert (await bram.post(f"/settings/running/{talk.chat}/whisper", whisper)).status_code == 403
    assert not await Audit.exists().where(Audit.what == "looked")


async def test_files_can_be_opened_while_reading_along_and_each_look_is_audited(desk: Desk) -> None:
    await Role.update({Role.permissions: '["chat", "supervise"]'}).where(Role.name == "supervisor")
    talk = await scenes.connected(desk)
    base = f"/chats/{talk.chat}"
    await say(talk.an, f"{base}/messages", await added(talk.an, f"{base}/files"), "Kijk")
    file = await added(talk.an, f"{base}/private-files", b"alleen voor ons", "intern.txt")
    await say(talk.an, f"{base}/private-messages", file, "Dit ook")
    eva = await watching(desk, f"/settings/running/{talk.chat}")
    links = [str(each.attributes["href"]) for each in eva.screen.css("#running-thread a.attachment")]
    assert len(links) == 2
    bram = await desk.agent("bram", "Loket")
    for link in links:
        assert (await eva.client.get(link)).status_code == 200
        assert (await bram.client.get(link)).status_code == 404, "an agent of another chat"
    looks = await Audit.select(Audit.about).where(Audit.what == "looked").order_by(Audit.id)
    assert [row["about"].split(":")[0] for row in looks] == ["chat", "attachment", "private_attachment"]
    assert (await Attachment.count(), await PrivateAttachment.count()) == (1, 1)
    await talk.jef.end()
    for link in links:
        assert (await eva.client.get(link)).status_code == 404, "it is over: for that there is the log"


async def test_supervisors_are_alerted_when_a_queue_is_left_with_nobody(desk: Desk, clock: Clock) -> None:
    eva = await desk.agent("eva", "Loket")
    bram = await desk.agent("bram", "Loket")
    await desk.agent("an", "Loket", ready=True)
    async with eva.stream() as above, bram.stream() as beside:
        await above.wait_for('id="panels"')
        await desk.visitor().begin()
        clock.shift(31)
        await routing.settle()
        await above.wait_for("voor Algemeen is niemand meer beschikbaar")
        await bram.ready()
        await beside.wait_for("Afwijzen")
        assert "niemand meer beschikbaar" not in "".join(event.data for event in beside.events)
