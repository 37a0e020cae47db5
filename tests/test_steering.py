"""Steering: a supervisor takes a chat over or moves it; nobody loses it, and of two one has it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from db.tables import Agent, Audit, Chat, Participation, PrivateMessage, Profile, Queue, Role, Step
from features import invites, routing, steering
from features.access import Person
from tests import scenes
from tests.conftest import Desk
from tests.people import AgentClient
from tests.room import Room

NOTE = "kanarie: bel de dienst Wonen"


async def id_of(username: str) -> int:
    row = await Agent.select(Agent.id).where(Agent.username == username).first()
    assert row
    return int(row["id"])


async def queue_of(name: str) -> int:
    row = await Queue.select(Queue.id).where(Queue.name == name).first()
    assert row
    return int(row["id"])


async def seats(chat: str) -> dict[str, str]:
    """Who has been in it, and how each left."""
    rows = (
        await Participation.select(Participation.agent.username.as_alias("who"), Participation.left_how)
        .where(Participation.chat == int(chat))
        .order_by(Participation.id)
    )
    return {row["who"]: row["left_how"] for row in rows}


async def row_of(chat: str) -> dict[str, Any]:
    row = await Chat.select().where(Chat.id == int(chat)).first()
    assert row
    return row


async def may_also(username: str, *permissions: str) -> None:
    """That person alone has a role with these permissions."""
    quoted = ", ".join(f'"{each}"' for each in permissions)
    await Role.insert(Role(name=f"role of {username}", permissions=f"[{quoted}]"))
    role = await Role.select(Role.id).where(Role.name == f"role of {username}").first()
    assert role
    await Agent.update({Agent.role: role["id"]}).where(Agent.username == username)


async def decided(supervisor: AgentClient, chat: str, what: str) -> dict[str, str]:
    """The question, as the page would send it back."""
    await supervisor.must("GET", f"/settings/running/{chat}/{what}")
    return {"seen": str(supervisor.screen.first("#ask-body [name=seen]").attributes["value"] or "")}


async def supervising(desk: Desk, profile: str = "Loket") -> AgentClient:
    eva = await desk.agent("eva", profile)
    eva.screen.show((await eva.must("GET", "/settings/running")).text)
    return eva


async def take_over(eva: AgentClient, chat: str) -> None:
    answer = await eva.post(f"/settings/running/{chat}/takeover", await decided(eva, chat, "takeover"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["HX-Redirect"] == f"/console#tab-{chat}"


# ---- taking over -----------------------------------------------------------------------------------------


async def test_a_supervisor_takes_over_and_everybody_is_told(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        eva = await supervising(desk)
        await take_over(eva, talk.chat)
        await talk.window.wait_for("Verbonden met Eva")
        assert "Eva neemt het gesprek over" in talk.jef.screen.text("#thread")
        assert "An heeft het gesprek verlaten" in talk.jef.screen.text("#thread")
        await talk.console.wait_for("Eva heeft uw gesprek met Jef Peeters overgenomen.")
        assert talk.an.chats == []
        await eva.open()
        assert eva.chats == [talk.chat]
        assert scenes.QUESTION in eva.screen.text(f"#thread-{talk.chat}")
        await eva.say(talk.chat, "Ik neem het over.")
        await talk.window.wait_for("Ik neem het over.")
    assert await seats(talk.chat) == {"an": "taken_over", "eva": ""}
    looks = await Audit.select(Audit.about).where(Audit.what == "took_over")
    assert looks == [{"about": f"chat:{talk.chat}"}]

    answer = await talk.an.post(f"/chats/{talk.chat}/messages", {"key": "sleutel-1234", "body": "Nog iets"})
    assert answer.status_code == 404, "who had it is out of it"


async def test_what_is_taken_over_counts_as_a_place(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.an.pause()
    eva = await with_one_place(desk)
    await take_over(eva, talk.chat)
    marie = await desk.visitor().begin("En ik?", name="Marie")
    await eva.open()
    assert eva.request == "", "her only place is taken"
    await marie.end()


async def with_one_place(desk: Desk) -> AgentClient:
    """Eva, ready, with one place."""
    await Profile.update({Profile.places: 1}).where(Profile.name == "Loket")
    return await desk.agent("eva", "Loket", ready=True)


async def test_a_waiting_chat_is_taken_out_of_the_line(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor().begin()
    await an.open()
    assert an.request, "the premise: An is being asked"
    eva = await supervising(desk)
    (chat,) = [str(row["id"]) for row in await scenes.chats()]
    await take_over(eva, chat)
    await jef.open()
    assert "Verbonden met Eva" in scenes.status(jef)
    assert "Eva neemt deel" in jef.screen.text("#thread")
    assert (await an.accept()).status_code == 409, "what An was asked is gone"
    assert await seats(chat) == {"eva": ""}


async def test_of_two_who_take_over_at_once_one_has_it(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await may_also("bram", "chat", "supervise")
    bram, eva = await desk.agent("bram", "Loket"), await supervising(desk)
    path = f"/settings/running/{talk.chat}/takeover"
    forms = [await decided(each, talk.chat, "takeover") for each in (bram, eva)]
    asked: list[Awaitable[Any]] = [
        each.post(path, form) for each, form in zip((bram, eva), forms, strict=True)
    ]
    answers = await asyncio.gather(*asked)
    assert sorted(each.status_code for each in answers) == [200, 409]
    loser = answers[0] if answers[0].status_code == 409 else answers[1]
    assert "Intussen is iemand anders erbij gekomen of weggegaan." in loser.text
    present = [who for who, how in (await seats(talk.chat)).items() if not how]
    assert len(present) == 1
    assert present != ["an"]


async def test_without_a_profile_the_words_say_what_to_do_first(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    eva = await supervising(desk, "")
    form = await decided(eva, talk.chat, "takeover")
    assert "Kies eerst een profiel in uw console" in eva.screen.text("#ask-body")
    answer = await eva.post(f"/settings/running/{talk.chat}/takeover", form)
    assert answer.status_code == 409
    assert "Kies eerst een profiel in uw console" in answer.text
    assert await seats(talk.chat) == {"an": ""}


async def test_taking_over_needs_both_permissions(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for permissions in (("chat",), ("supervise",)):
        await Role.update({Role.permissions: str(list(permissions)).replace("'", '"')}).where(
            Role.name == "supervisor"
        )
        eva = AgentClient(desk.url, "eva")
        desk.people.append(eva)
        await eva.post("/session", {"username": "eva", "password": "geheim-1234"})
        await take_csrf(eva)
        for method in ("GET", "POST"):
            answer = await eva.send(method, f"/settings/running/{talk.chat}/takeover", {"seen": ""})
            assert answer.status_code == 403, permissions
    assert await seats(talk.chat) == {"an": ""}


async def take_csrf(person: AgentClient) -> None:
    csrf = LexborHTMLParser((await person.get("/console")).text).css_first("#csrf")
    assert csrf is not None
    person.client.headers["X-CSRF-Token"] = str(csrf.attributes["content"])


async def test_what_is_over_is_not_taken_over(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    eva = await supervising(desk)
    form = await decided(eva, talk.chat, "takeover")
    await talk.jef.end()
    answer = await eva.post(f"/settings/running/{talk.chat}/takeover", form)
    assert answer.status_code == 409
    assert "Dit gesprek is voorbij." in answer.text
    assert (await row_of(talk.chat))["state"] == "ended"


# ---- moving ----------------------------------------------------------------------------------------------


async def test_a_running_chat_goes_to_the_head_of_another_queue_with_its_history(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        ticket = (await row_of(talk.chat))["ticket_at"]
        bram = await desk.agent("bram", "Vergunningen", ready=True)
        eva = await supervising(desk)
        form = {**await decided(eva, talk.chat, "move"), "to": f"queue-{await queue_of('Vergunningen')}"}
        answer = await eva.post(f"/settings/running/{talk.chat}/move", {**form, "note": NOTE})
        assert answer.status_code == 200, answer.text
        await talk.window.wait_for("U wordt doorverbonden met Vergunningen")
        await talk.console.wait_for("Eva heeft uw gesprek met Jef Peeters verplaatst.")
        assert await seats(talk.chat) == {"an": "moved"}
        row = await row_of(talk.chat)
        assert (row["state"], row["returned"], row["ticket_at"]) == ("waiting", True, ticket)
        await bram.open()
        assert bram.request, "who serves that queue is asked at once"
        assert await scenes.taken(bram) == talk.chat
        thread = bram.screen.text(f"#thread-{talk.chat}")
        assert scenes.QUESTION in thread
        assert NOTE in thread
        await talk.window.wait_for("Verbonden met Bram")
        await talk.jef.open()
        assert NOTE not in (talk.jef.screen.tree.html or "")
    assert await PrivateMessage.count() == 1


async def test_a_colleague_is_asked_as_in_a_transfer(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    bram = await desk.agent("bram", "Loket", ready=True)
    eva = await supervising(desk)
    form = {**await decided(eva, talk.chat, "move"), "to": f"agent-{await id_of('bram')}", "note": NOTE}
    assert (await eva.post(f"/settings/running/{talk.chat}/move", form)).status_code == 200
    await talk.jef.open()
    assert "U wordt doorverbonden met Bram" in talk.jef.screen.text("#thread")
    await bram.open()
    assert "Eva verbindt dit gesprek naar u door" in (bram.screen.tree.html or "")
    assert await scenes.taken(bram) == talk.chat
    assert await seats(talk.chat) == {"an": "moved", "bram": ""}


async def test_a_colleague_who_refuses_leaves_it_at_the_head_of_its_queue(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    bram = await desk.agent("bram", "Loket", ready=True)
    eva = await supervising(desk)
    form = {**await decided(eva, talk.chat, "move"), "to": f"agent-{await id_of('bram')}"}
    await eva.must("POST", f"/settings/running/{talk.chat}/move", form)
    await bram.open()
    await bram.reject()
    row = await row_of(talk.chat)
    assert (row["state"], row["returned"]) == ("waiting", True)


async def test_a_waiting_chat_keeps_its_ticket_in_another_queue(desk: Desk) -> None:
    await desk.agent("an", "Loket", ready=True)
    await desk.visitor().begin()
    bram = await desk.agent("bram", "Vergunningen", ready=True)
    eva = await supervising(desk)
    (before,) = await scenes.chats()
    chat = str(before["id"])
    form = {**await decided(eva, chat, "move"), "to": f"queue-{await queue_of('Vergunningen')}"}
    await eva.must("POST", f"/settings/running/{chat}/move", form)
    row = await row_of(chat)
    assert (row["queue"], row["ticket_at"]) == (await queue_of("Vergunningen"), before["ticket_at"])
    assert (row["state"], row["returned"], row["begun"]) == ("waiting", False, False)
    await bram.open()
    assert await Step.exists().where(Step.chat == row["id"]).where(Step.what == "moved")


async def test_where_it_cannot_go_is_said_in_words_and_nothing_moves(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    eva = await supervising(desk)
    bram = await id_of("bram")
    refused = {
        "": "Kies een collega of een wachtrij.",
        f"queue-{await queue_of('Vergunningen')}": "Niemand van de wachtrij Vergunningen is beschikbaar.",
        f"agent-{bram}": "neemt op dit moment geen chats aan",
    }
    for to, words in refused.items():
        form = {**await decided(eva, talk.chat, "move"), "to": to, "note": NOTE}
        answer = await eva.post(f"/settings/running/{talk.chat}/move", form)
        assert answer.status_code == 422, to
        assert words in answer.text
        assert NOTE in answer.text, "what was typed stays"
    assert await seats(talk.chat) == {"an": ""}
    assert not await PrivateMessage.exists()
    form = {"seen": "999", "to": f"queue-{await queue_of('Algemeen')}"}
    answer = await eva.post(f"/settings/running/{talk.chat}/move", form)
    assert "Intussen is iemand anders erbij gekomen of weggegaan." in answer.text


async def test_an_agent_moves_nothing(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    bram = await desk.agent("bram", "Loket")
    for what in ("takeover", "move"):
        assert (await bram.get(f"/settings/running/{talk.chat}/{what}")).status_code == 403
        assert (await bram.post(f"/settings/running/{talk.chat}/{what}", {})).status_code == 403
    assert await seats(talk.chat) == {"an": ""}


# ---- the rules, without a front door ---------------------------------------------------------------------


def person(agent: int) -> Person:
    return Person(agent, "eva", "eva", "nl", frozenset({"chat", "supervise"}), 0, "")


async def present(chat: int) -> set[int]:
    seat = Participation
    rows = await seat.select(seat.agent).where(seat.chat == chat).where(seat.left_at.is_null())
    return {row["agent"] for row in rows}


async def test_taking_over_calls_an_invitation_off_and_nobody_is_penalised(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    eva = await room.agent("eva", {queue: 1}, ready=False)
    assert await invites.invite(an, chat, agent=bram) == ""
    assert await steering.take_over(person(eva), chat, str(an)) == ""
    assert await present(chat) == {eva}
    assert await room.asked(chat) == 0
    assert await room.outcomes(chat) == ["accepted", "withdrawn"]
    assert (await room.readiness(bram))["ready"]
    assert await steering.take_over(person(eva), chat, str(eva)) == "yours"


async def test_one_of_two_takes_it_over_from_the_other(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    eva = await room.agent("eva", {queue: 1})
    assert await invites.invite(an, chat, agent=eva) == ""
    assert await room.accepts(eva) == chat
    assert await steering.take_over(person(eva), chat, f"{an}") == "changed", "seen before she came"
    assert await steering.take_over(person(eva), chat, f"{an}-{eva}") == ""
    assert await present(chat) == {eva}
    assert (await room.steps(chat))[-2:] == ["taken_over", "left"]


async def test_whoever_was_in_a_moved_chat_is_asked_last(room: Room) -> None:
    queue, other = await room.queue("one"), await room.queue("other")
    an = await room.agent("an", {queue: 1, other: 1}, places=2)
    chat = await room.talks(an, queue)
    ticket = (await room.chat(chat))["ticket_at"]
    eva = await room.person("eva")
    assert await steering.move(person(eva), chat, str(an), queue=other, note="") == "empty"
    bram = await room.agent("bram", {other: 1})
    assert await steering.move(person(eva), chat, str(an), queue=other, note="") == ""
    assert await room.asked(chat) == bram
    assert await room.rejects(bram)
    assert await routing.pause(bram, "lunch")
    assert await room.asked(chat) == 0
    await room.after(31)
    assert await room.asked(chat) == an, "nobody else may come"
    assert (await room.chat(chat))["ticket_at"] == ticket


async def test_a_chat_of_two_agents_moves_as_a_whole(room: Room) -> None:
    queue, other = await room.queue("one"), await room.queue("other")
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    assert await invites.invite(an, chat, queue=queue) == ""
    assert await room.accepts(bram) == chat
    carl = await room.agent("carl", {other: 1})
    eva = await room.person("eva")
    assert await steering.move(person(eva), chat, f"{an}-{bram}", queue=other, note="") == ""
    assert await present(chat) == set()
    row = await room.chat(chat)
    assert (row["state"], row["queue"], row["returned"]) == ("waiting", other, True)
    assert await room.accepts(carl) == chat
