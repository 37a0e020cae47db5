"""What stands beside a conversation: its case number, its copy, what was said before."""

import pytest

from db.tables import Chat
from tests import scenes
from tests.conftest import Desk
from tests.people import AgentClient, Person, Visitor, new_key
from tests.scenes import connected, live, taken
from tests.test_attachments import added
from tests.test_identity import claims, press, signed, with_key

pytestmark = pytest.mark.either

CANARY = "kanarie-7319"


async def verified(desk: Desk, question: str, sub: str = "burger-1207", widget: str = "voorbeeld") -> Visitor:
    """Waits in line."""
    token = signed(claims(sub=sub, iss=widget))
    found = await press(desk, token, desk.visitor(widget=widget))
    assert found.code == "", found.text
    if widget == "voorbeeld":
        await found.visitor.start(question)
    return found.visitor


async def ended(desk: Desk, agent: AgentClient, question: str, **who: str) -> str:
    """An earlier conversation, with a private message in it."""
    visitor = await verified(desk, question, **who)
    chat = await taken(agent)
    await agent.say(chat, f"Antwoord op {question}")
    note = {"key": new_key(), "body": f"{CANARY} bij {question}"}
    await agent.must("POST", f"/chats/{chat}/private-messages", note)
    await visitor.end()
    return chat


async def at_desk(desk: Desk, username: str = "an") -> AgentClient:
    await with_key()
    return await desk.agent(username, "Loket", ready=True)


# ---- the case number -------------------------------------------------------------------------------------


async def test_a_case_number_is_kept_and_said_to_be(desk: Desk) -> None:
    talk = await connected(desk)
    answer = await talk.an.must("PUT", f"/chats/{talk.chat}/case", {"number": "  2026/117\u00a0 B "})
    assert "Opgeslagen" in answer.text
    await talk.an.open()
    assert talk.an.screen.first(f"#case-{talk.chat}").attributes["value"] == "2026/117 B"
    await talk.an.must("PUT", f"/chats/{talk.chat}/case", {"number": ""})
    await talk.an.open()
    assert talk.an.screen.first(f"#case-{talk.chat}").attributes["value"] == ""


async def test_all_windows_of_all_agents_in_it_follow_and_the_visitor_hears_nothing(desk: Desk) -> None:
    async with live(desk) as talk, scenes.second_window(desk, talk.an) as (other, stream):
        heard = len(talk.window.events)
        await talk.an.must("PUT", f"/chats/{talk.chat}/case", {"number": CANARY})
        await stream.wait_for(CANARY)
        assert other.screen.first(f"#case-{talk.chat}").attributes["value"] == CANARY
        await talk.an.say(talk.chat, "Tot zo")
        await talk.window.wait_for("Tot zo")
        assert CANARY not in talk.window.data
        assert not [event for event in talk.window.events[heard:] if "Tot zo" not in event.data]
        for path in ("/chat", "/chat/transcript.txt"):
            assert CANARY not in (await talk.jef.get(path)).text


async def test_one_that_is_too_long_is_refused_with_words(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.must("PUT", f"/chats/{talk.chat}/case", {"number": "x" * 60})
    answer = await talk.an.send("PUT", f"/chats/{talk.chat}/case", {"number": "y" * 61})
    assert answer.status_code == 422
    assert "hoogstens 60 tekens" in answer.text
    assert f'"#case-{talk.chat}"' not in answer.text, "what was typed stays"
    row = await Chat.select(Chat.case_number).first()
    assert row
    assert row["case_number"] == "x" * 60


async def test_it_can_be_given_after_the_end_too_but_by_nobody_else(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.jef.end()
    await talk.an.must("PUT", f"/chats/{talk.chat}/case", {"number": "<b>7</b>"})
    await talk.an.open()
    assert talk.an.screen.first(f"#case-{talk.chat}").attributes["value"] == "<b>7</b>"
    bram = await desk.agent("bram", "Loket")
    assert (await bram.send("PUT", f"/chats/{talk.chat}/case", {"number": "8"})).status_code == 404
    assert (await talk.jef.send("PUT", f"/chats/{talk.chat}/case", {"number": "8"})).status_code == 401


# ---- the copy --------------------------------------------------------------------------------------------


async def test_the_copy_has_what_was_said_and_who_vouched(desk: Desk) -> None:
    an = await at_desk(desk)
    lien = await verified(desk, "Mag ik parkeren?")
    chat = await taken(an)
    await an.must("PUT", f"/chats/{chat}/case", {"number": "2026/117"})
    await an.must("POST", f"/chats/{chat}/private-messages", {"key": new_key(), "body": CANARY})
    await an.say(chat, "Ja")
    await lien.end()
    answer = await an.must("GET", f"/chats/{chat}/text")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith(
        "Gemeente Voorbeeld\nGesprek van woensdag 11 maart 2026\n\nZaaknummer: 2026/117\n"
        "Naam: Lien Janssens (Geverifieerd door E-loket)\n"
        "E-mail: lien@voorbeeld.be (Geverifieerd door E-loket)\nDeelnemers: Lien Janssens, An\n"
    )
    assert "10:00 Lien Janssens:\nMag ik parkeren?" in answer.text
    assert "10:00 An:\nJa" in answer.text
    assert "De bezoeker heeft het gesprek beëindigd" in answer.text
    assert CANARY not in answer.text


async def test_a_name_cannot_pretend_to_be_verified_in_the_copy(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    await desk.visitor().begin("Hallo", name="Jef\u2028Zaaknummer: 7")
    text = (await an.must("GET", f"/chats/{await taken(an)}/text")).text
    assert "Geverifieerd" not in text
    assert "\nZaaknummer" not in text


async def test_the_copy_speaks_the_language_of_the_agent(desk: Desk) -> None:
    chloe = await desk.agent("chloe", "Loket", ready=True)
    await desk.visitor().begin("Hallo", name="Jef")
    text = (await chloe.must("GET", f"/chats/{await taken(chloe)}/text")).text
    assert "Nom: Jef" in text
    assert "Chloé participe" in text


# ---- earlier conversations -------------------------------------------------------------------------------


def listed(agent: AgentClient, chat: str) -> list[str]:
    return agent.screen.texts(f"#details-{chat} .earlier-one")


async def test_earlier_conversations_of_the_same_verified_person_can_be_read(desk: Desk) -> None:
    an = await at_desk(desk)
    first = await ended(desk, an, "Vraag een")
    await ended(desk, an, "Van iemand anders", sub="burger-9")
    await verified(desk, "Vraag twee")
    chat = await taken(an)
    assert listed(an, chat) == ["11 mrt 2026 10:00 Algemeen · An"]
    answer = await an.must("GET", f"/chats/{first}/past")
    shown = an.screen.first("#ask-body")
    for said in ("Vraag een", "Antwoord op Vraag een", f"{CANARY} bij Vraag een"):
        assert said in shown.text()
    assert "iemand anders" not in answer.text
    assert (
        "Gesprek van woensdag 11 maart 2026" in an.screen.text("#ask-title") or "Gesprek van" in answer.text
    )
    assert not shown.css("form, textarea, [hx-post]"), "to read only"
    ids = [node.attributes["id"] for node in an.screen.css("#ask-body [id], #panels [id]")]
    assert len(ids) == len(set(ids))


async def test_a_first_conversation_has_none_and_says_so(desk: Desk) -> None:
    an = await at_desk(desk)
    await verified(desk, "Vraag")
    chat = await taken(an)
    assert listed(an, chat) == []
    assert "Nog geen met deze persoon." in an.screen.text(f"#details-{chat}")


async def test_only_who_talks_with_that_person_now_reads_them(desk: Desk) -> None:
    an = await at_desk(desk)
    old = await ended(desk, an, "Vraag een")
    bram = await desk.agent("bram", "Loket")
    eva = await desk.agent("eva", "Loket")

    async def may_read(who: Person) -> bool:
        answer = await who.get(f"/chats/{old}/past")
        assert answer.is_success or CANARY not in answer.text
        return answer.is_success

    assert not await may_read(an), "not without a running chat, not even who was in it"
    await an.pause()
    await bram.ready()
    lien = await verified(desk, "Vraag twee")
    assert not await may_read(bram), "not while only being asked"
    new = await taken(bram)
    assert await may_read(bram)
    assert not await may_read(an)
    assert not await may_read(eva)
    assert not await may_read(lien)
    assert (await bram.get(f"/chats/{new}/past")).status_code == 404, "what runs is not past"
    await lien.end()
    assert not await may_read(bram), "and no longer when it is over"
    assert listed(bram, new)
    await bram.open()
    assert not listed(bram, new)


async def test_another_person_or_widget_opens_nothing(desk: Desk) -> None:
    an = await at_desk(desk)
    await with_key(widget="direct")
    old = await ended(desk, an, "Vraag een")
    plain = await ended_plain(desk, an)
    for who in ({"sub": "burger-9"}, {"widget": "direct"}):
        other = await verified(desk, "Vraag twee", **who)
        chat = await taken(an)
        assert listed(an, chat) == []
        for earlier in (old, plain):
            assert (await an.get(f"/chats/{earlier}/past")).status_code == 404
        await other.end()
    await desk.visitor().begin("Onbekend", name="Lien Janssens", email="lien@voorbeeld.be")
    chat = await taken(an)
    assert "Eerdere gesprekken" not in an.screen.text(f"#details-{chat}")
    assert (await an.get(f"/chats/{old}/past")).status_code == 404


async def ended_plain(desk: Desk, agent: AgentClient) -> str:
    visitor = await desk.visitor().begin("Zonder token", name="Lien Janssens", email="lien@voorbeeld.be")
    chat = await taken(agent)
    await visitor.end()
    return chat


async def test_who_has_left_the_running_chat_reads_them_no_longer(desk: Desk) -> None:
    an = await at_desk(desk)
    old = await ended(desk, an, "Vraag een")
    await verified(desk, "Vraag twee")
    chat = await taken(an)
    await an.must("POST", f"/chats/{chat}/leaving", {"requeue": "true"})
    assert (await an.get(f"/chats/{old}/past")).status_code == 404
    assert (await an.get(f"/chats/{chat}/past")).status_code == 404


async def test_numbers_that_are_no_chats_are_not_there(desk: Desk) -> None:
    an = await at_desk(desk)
    for number in ("0", "999999", str(2**31 - 1)):
        assert (await an.get(f"/chats/{number}/past")).status_code == 404
        assert (await an.get(f"/chats/{number}/text")).status_code == 404


async def test_files_of_an_earlier_conversation_can_be_had_with_it(desk: Desk) -> None:
    an = await at_desk(desk)
    lien = await verified(desk, "Vraag een")
    old = await taken(an)
    ticket = await added(lien, "/chat/files", b"Geachte", "brief.txt")
    await lien.must("POST", "/chat/messages", {"key": new_key(), "body": "Mijn brief", "files": ticket})
    await lien.end()
    await an.pause()
    bram = await desk.agent("bram", "Loket", ready=True)
    file = f"/chats/{old}/files/{ticket}"
    assert (await bram.get(file)).status_code == 404
    again = await verified(desk, "Vraag twee")
    await taken(bram)
    await bram.must("GET", f"/chats/{old}/past")
    assert bram.screen.first("#ask-body a[download]").attributes["href"] == file
    assert (await bram.get(file)).content == b"Geachte"
    await again.end()
    assert (await bram.get(file)).status_code == 404
