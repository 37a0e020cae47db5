"""Invitations and transfers: each rule and its negative, and what agents and the visitor see of them."""

from typing import Any

import pytest

import db
from db import tables
from features import absences, invites, routing
from tests.conftest import Desk
from tests.people import AgentClient, Visitor, new_key
from tests.room import Room
from tests.scenes import Talk, connected, eventually_true, live, taken

NOTE = "kanarie: hij vroeg naar dossier 4471"


async def outcome(chat: int) -> tuple[str, str]:
    """Of the last invitation."""
    table = tables.Invite
    row = await table.select().where(table.chat == chat).order_by(table.id, ascending=False).first()
    assert row
    return row["outcome"], row["reason"]


async def present(chat: int) -> set[int]:
    seat = tables.Participation
    rows = await seat.select(seat.agent).where(seat.chat == chat).where(seat.left_at.is_null())
    return {row["agent"] for row in rows}


# ---- a given agent ---------------------------------------------------------------------------------------


async def test_a_given_agent_is_asked_even_when_full_and_joins(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    other = await room.talks(bram, queue)
    assert await invites.invite(an, chat, agent=bram) == ""
    assert await room.asked(chat) == bram
    assert await room.accepts(bram) == chat
    assert await present(chat) == {an, bram}
    assert await present(other) == {bram}
    assert await outcome(chat) == ("accepted", "")
    row = await tables.Participation.select().where(tables.Participation.chat == chat)
    assert [seat["queue"] for seat in row] == [queue, None], "who was invited by name came through no queue"


@pytest.mark.parametrize("silent", [False, True])
async def test_refusing_or_silence_does_not_pause_whoever_was_invited(room: Room, silent: bool) -> None:
    queue = await room.queue(answer_s=30)
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    await invites.invite(an, chat, agent=bram)
    await (room.after(30) if silent else room.rejects(bram))
    expected = ("expired", "no_answer") if silent else ("refused", "rejected")
    assert await outcome(chat) == expected
    assert (await room.readiness(bram))["ready"]
    assert await room.state(chat) == "active"
    assert await present(chat) == {an}


async def test_one_invitation_at_a_time_and_then_another(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram, chloe = await room.agent("bram", {queue: 1}), await room.agent("chloe", {queue: 1})
    assert await invites.invite(an, chat, agent=bram) == ""
    assert await invites.invite(an, chat, agent=chloe) == "one_open"
    assert await invites.invite(an, chat, queue=queue) == "one_open"
    await room.rejects(bram)
    assert await invites.invite(an, chat, agent=chloe) == ""


async def test_the_database_holds_one_open_invitation_per_chat(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    await invites.invite(an, chat, agent=bram)
    second = tables.Invite(chat=chat, inviter=an, agent=bram)
    with pytest.raises(db.UniqueViolation):
        async with db.transaction():
            await tables.Invite.insert(second)


async def test_who_cannot_be_invited(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    paused = await room.agent("paused", {queue: 1}, ready=False)
    stranger = await room.person("stranger")
    busy = await room.agent("busy", {queue: 1})
    await room.waits(queue)
    assert await invites.invite(an, chat, agent=paused) == "absent"
    assert await invites.invite(an, chat, agent=stranger) == "absent"
    assert await invites.invite(an, chat, agent=999_999) == "absent"
    assert await invites.invite(an, chat, agent=an) == "present"
    assert await invites.invite(an, chat, agent=busy) == "asked"
    await absences.lose_agent(busy)
    await room.after(10)
    assert await invites.invite(an, chat, agent=busy) == "absent"


async def test_nobody_invites_to_a_chat_they_are_not_in(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram, chloe = await room.agent("bram", {queue: 1}), await room.agent("chloe", {queue: 1})
    assert await invites.invite(bram, chat, agent=chloe) == "not_in"
    assert await invites.transfer(bram, chat, agent=chloe) == "not_in"
    assert not await invites.withdraw(bram, chat)
    assert await tables.Invite.count() == 0


async def test_an_invited_agent_who_goes_ends_the_invitation_without_penalty(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    await invites.invite(an, chat, agent=bram)
    await routing.pause(bram, "lunch")
    assert await outcome(chat) == ("refused", "withdrawn")
    assert (await room.readiness(bram))["reason"] == "lunch"


# ---- some agent of a queue -------------------------------------------------------------------------------


async def test_some_agent_of_a_queue_is_asked_before_those_who_wait(room: Room) -> None:
    first, second = await room.queue("first"), await room.queue("second")
    an = await room.agent("an", {first: 1})
    bram = await room.agent("bram", {second: 1})
    chat = await room.talks(an, first)
    busy = await room.talks(bram, second)
    waiting = await room.waits(second)
    assert await invites.invite(an, chat, queue=second) == ""
    assert not await room.asked(chat), "nobody has a place"
    await routing.end(bram, busy)
    assert (await room.asked(chat), await room.asked(waiting)) == (bram, 0)
    await room.accepts(bram)
    assert await present(chat) == {an, bram}
    assert (await room.chat(chat))["queue"] == first, "somebody of its own queue is still in it"


async def test_the_inviter_is_never_asked_and_refusals_go_to_the_next(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=3)
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    chloe = await room.agent("chloe", {queue: 1})
    await invites.invite(an, chat, queue=queue)
    assert await room.asked(chat) == bram
    await room.rejects(bram)
    assert await room.asked(chat) == chloe
    await room.rejects(chloe)
    assert await outcome(chat) == ("refused", "nobody_left"), "closed at once when nobody may come"
    assert await present(chat) == {an}


async def test_an_invitation_to_a_queue_lives_two_minutes(room: Room) -> None:
    first, second = await room.queue("first"), await room.queue("second")
    an = await room.agent("an", {first: 1})
    bram = await room.agent("bram", {second: 1})
    chat = await room.talks(an, first)
    await room.talks(bram, second)
    await invites.invite(an, chat, queue=second)
    await room.after(119)
    assert await outcome(chat) == ("", "")
    await room.after(1)
    assert await outcome(chat) == ("expired", "nobody_free")


async def test_a_closed_or_empty_queue_is_refused(room: Room) -> None:
    queue, empty = await room.queue(), await room.queue("empty")
    closed = await room.queue("closed", always_open=False)
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    await room.agent("bram", {closed: 1})
    for verb in (invites.invite, invites.transfer):
        assert await verb(an, chat, queue=closed) == "closed"
        assert await verb(an, chat, queue=empty) == "empty"
        assert await verb(an, chat, queue=queue) == "empty", "the inviter alone does not count"
    assert await present(chat) == {an}


async def test_silence_on_an_invitation_to_a_queue_pauses_as_ever(room: Room) -> None:
    queue = await room.queue(answer_s=30)
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    await invites.invite(an, chat, queue=queue)
    await room.after(30)
    assert (await room.readiness(bram))["reason"] == "not_answered"


# ---- withdrawing, leaving, transferring ------------------------------------------------------------------


async def test_withdrawing_takes_the_request_away_without_a_refusal(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    await invites.invite(an, chat, agent=bram)
    assert await invites.withdraw(an, chat)
    assert not await invites.withdraw(an, chat)
    assert not await room.request(bram)
    assert await outcome(chat) == ("withdrawn", "")
    assert await tables.Refusal.count() == 0


async def test_the_last_agent_leaves_only_for_somebody_or_for_the_queue(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    assert not await routing.leave(an, chat)
    await invites.invite(an, chat, agent=bram)
    assert await routing.leave(an, chat)
    assert (await room.state(chat), await present(chat)) == ("active", set())
    await room.accepts(bram)
    assert (await room.state(chat), await present(chat)) == ("active", {bram})


async def test_with_nobody_left_a_refused_invitation_gives_the_chat_back(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    ticket = (await room.chat(chat))["ticket_at"]
    bram, chloe = await room.agent("bram", {queue: 1}), await room.agent("chloe", {queue: 1})
    await invites.transfer(an, chat, agent=bram)
    await room.rejects(bram)
    row = await room.chat(chat)
    assert (row["state"], row["returned"], row["ticket_at"]) == ("waiting", True, ticket)
    assert await room.asked(chat) == chloe, "who left and who refused are asked last"


async def test_transferred_to_a_queue_the_chat_belongs_to_it_with_its_ticket(room: Room) -> None:
    first, second = await room.queue("first"), await room.queue("second")
    an, bram = await room.agent("an", {first: 1}), await room.agent("bram", {second: 1})
    chat = await room.talks(an, first)
    ticket = (await room.chat(chat))["ticket_at"]
    await room.after(20)
    assert await invites.transfer(an, chat, queue=second) == ""
    assert await present(chat) == set()
    await room.accepts(bram)
    row = await room.chat(chat)
    assert (row["queue"], row["ticket_at"], row["state"]) == (second, ticket, "active")
    assert await present(chat) == {bram}


async def test_a_request_goes_to_another_queue_with_its_waiting_time(room: Room) -> None:
    first, second = await room.queue("first"), await room.queue("second")
    an, bram = await room.agent("an", {first: 1}), await room.agent("bram", {second: 1})
    chat = await room.waits(first)
    ticket = (await room.chat(chat))["ticket_at"]
    await room.after(5)
    assert await invites.pass_on(await room.request(an), an, queue=second) == ""
    assert await room.asked(chat) == bram
    row = await room.chat(chat)
    assert (row["queue"], row["ticket_at"], row["returned"]) == (second, ticket, False)
    assert (await room.readiness(an))["ready"]
    assert await room.outcomes(chat) == ["passed_on", ""]


async def test_a_request_goes_to_a_colleague_and_back_into_line_if_refused(room: Room) -> None:
    queue, other = await room.queue(), await room.queue("other")
    an, bram = await room.agent("an", {queue: 1}), await room.agent("bram", {other: 1})
    chat = await room.waits(queue)
    assert await invites.pass_on(await room.request(an), an, agent=bram) == ""
    assert await room.asked(chat) == bram
    await room.rejects(bram)
    row = await room.chat(chat)
    assert (row["state"], row["returned"]) == ("waiting", False)
    assert not await room.asked(chat), "An passed it on, and is asked last"
    await room.after(30)
    assert await room.asked(chat) == an


async def test_a_request_is_not_passed_on_to_nobody(room: Room) -> None:
    queue, empty = await room.queue(), await room.queue("empty")
    closed = await room.queue("closed", always_open=False)
    an = await room.agent("an", {queue: 1, empty: 1})
    chat = await room.waits(queue)
    request = await room.request(an)
    assert await invites.pass_on(request, an, queue=closed) == "closed"
    assert await invites.pass_on(request, an, queue=empty) == "empty"
    assert await invites.pass_on(request, an + 1, queue=empty) == "too_late"
    assert await room.asked(chat) == an, "nothing has changed"


async def test_when_the_visitor_ends_the_invitation_goes_with_it(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    bram = await room.agent("bram", {queue: 1})
    await invites.invite(an, chat, agent=bram)
    row = await room.chat(chat)
    await routing.leave_visitor(row["visitor"])
    assert await outcome(chat) == ("withdrawn", "ended")
    assert await room.state(chat) == "ended"
    assert "returned" not in await room.steps(chat)
    assert not await room.request(bram)


# ---- on the screen ---------------------------------------------------------------------------------------


async def id_of(username: str) -> int:
    row = await tables.Agent.select(tables.Agent.id).where(tables.Agent.username == username).first()
    assert row
    return int(row["id"])


async def queue_id(name: str) -> int:
    row = await tables.Queue.select(tables.Queue.id).where(tables.Queue.name == name).first()
    assert row
    return int(row["id"])


async def invited(talk: Talk, username: str = "bram", **form: str) -> Any:
    data = {"to": f"agent-{await id_of(username)}", "how": "stay", "note": NOTE, **form}
    return await talk.an.send("POST", f"/chats/{talk.chat}/invite", data)


async def with_bram(desk: Desk) -> tuple[Talk, AgentClient]:
    talk = await connected(desk, "Waar mag mijn caravan staan?")
    return talk, await desk.agent("bram", "Loket", ready=True)


async def test_the_panel_says_who_is_ready_paused_and_which_queue_is_served(desk: Desk) -> None:
    talk, _bram = await with_bram(desk)
    await desk.agent("chloe", "Loket")
    await desk.agent("eva", "Loket", ready=True)
    await talk.an.must("GET", f"/chats/{talk.chat}/invite")
    rows = talk.an.screen.texts(f"#tool-{talk.chat} .invitee")
    assert any("Bram" in row and "Beschikbaar" in row for row in rows), rows
    assert any("Chloé" in row and "Pauze" in row for row in rows), rows
    assert any("Algemeen" in row and "2 beschikbaar" in row for row in rows), rows
    assert not any(row.startswith("An ") for row in rows), "nobody invites themselves"
    assert talk.an.screen.has(f"#tool-{talk.chat} .invitee.absent [disabled]")


async def test_the_invited_agent_reads_who_and_why_and_what_was_said(desk: Desk) -> None:
    talk, bram = await with_bram(desk)
    await talk.an.say(talk.chat, "Even een collega erbij halen")
    answer = await invited(talk)
    assert answer.is_success, answer.text
    assert "tool:done" in answer.headers["HX-Trigger"]
    await bram.open()
    (card,) = bram.screen.texts(".request-card")
    for words in ("An nodigt u uit", NOTE, "caravan", "Even een collega"):
        assert words in card
    await taken(bram)
    await bram.open()
    assert any("An, Bram" in text for text in bram.screen.texts(f"#details-{talk.chat}"))


async def test_the_visitor_sees_who_joins_and_leaves_and_nothing_of_the_note(desk: Desk) -> None:
    async with live(desk) as talk:
        bram = await desk.agent("bram", "Loket", ready=True)
        async with bram.stream() as console:
            assert (await invited(talk)).is_success
            await console.wait_for("nodigt u uit")
            await taken(bram)
            await talk.window.wait_for("Bram neemt deel")
            await talk.console.wait_for("An, Bram")
            await talk.an.must("POST", f"/chats/{talk.chat}/leaving", {})
            await talk.window.wait_for("An heeft het gesprek verlaten")
            await talk.window.wait_for("Verbonden met Bram")
        assert "kanarie" not in talk.window.data
        await talk.jef.open()
        assert "kanarie" not in (await talk.jef.get("/chat")).text


async def test_the_inviter_sees_it_open_withdraws_it_and_is_told_how_it_went(desk: Desk) -> None:
    async with live(desk) as talk:
        bram = await desk.agent("bram", "Loket", ready=True)
        strip = f"#invite-{talk.chat}"
        assert (await invited(talk)).is_success
        await talk.console.wait_for("Bram is uitgenodigd")
        assert (await invited(talk)).status_code == 422
        assert "één" in (await talk.an.get(f"/chats/{talk.chat}/invite")).text
        await talk.an.must("DELETE", f"/chats/{talk.chat}/invite")
        await talk.console.wait_for(lambda: talk.an.screen.texts(strip) == [""])
        assert (await invited(talk)).is_success
        await bram.open()
        await bram.reject()
        await talk.console.wait_for("Bram heeft uw uitnodiging afgewezen")
        await talk.an.must("DELETE", f"/chats/{talk.chat}/invite")
        await talk.console.wait_for(lambda: talk.an.screen.texts(strip) == [""])


async def test_what_is_said_before_the_answer_shows_on_the_tab_of_whoever_is_invited(desk: Desk) -> None:
    async with live(desk) as talk:
        bram = await desk.agent("bram", "Loket", ready=True)
        async with bram.stream() as console:
            await console.wait_for('id="panels"')
            await talk.an.say(talk.chat, "Nog voor de uitnodiging")
            assert (await invited(talk)).is_success
            await console.wait_for("nodigt u uit")
            await talk.jef.say("Het gaat om een caravan van zes meter")
            await console.wait_for("zes meter")
            note = {"key": new_key(), "body": "Hij belde gisteren ook"}
            await talk.an.must("POST", f"/chats/{talk.chat}/private-messages", note)
            await console.wait_for("Hij belde gisteren ook")
            (card,) = bram.screen.texts(".request-card")
            assert card.index("zes meter") < card.index("gisteren")
            await bram.reject()
            await console.wait_for(lambda: not bram.screen.has(".request-card"))
            await talk.jef.say("Dit is niet meer voor Bram")
            await talk.console.wait_for("niet meer voor Bram")
            await talk.jef.end()
        assert "niet meer voor Bram" not in console.data


async def test_what_a_waiting_visitor_adds_shows_on_the_request(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    async with an.stream() as console:
        jef = await desk.visitor().begin("Mag het?")
        await console.wait_for("Mag het?")
        await jef.say("Het is dringend")
        await console.wait_for('id="so-far-')
        assert "Mag het?" in an.screen.text(".request-card")


async def test_transfer_is_one_press_and_the_visitor_is_told(desk: Desk) -> None:
    async with live(desk) as talk:
        bram = await desk.agent("bram", "Vergunningen", ready=True)
        queue = await queue_id("Vergunningen")
        answer = await invited(talk, to=f"queue-{queue}", how="leave")
        assert answer.is_success, answer.text
        await talk.window.wait_for("U wordt doorverbonden met Vergunningen")
        await talk.window.wait_for("An heeft het gesprek verlaten")
        await talk.console.wait_for(lambda: not talk.an.chats)
        await taken(bram)
        await talk.window.wait_for("Verbonden met Bram")


@pytest.mark.parametrize(
    ("how", "words"),
    [("leave", "An verbindt dit gesprek naar u door."), ("stay", "An nodigt u uit in dit gesprek.")],
)
async def test_a_colleague_reads_whether_it_takes_over_or_joins(desk: Desk, how: str, words: str) -> None:
    talk = await connected(desk)
    bram = await desk.agent("bram", "Loket", ready=True)
    assert (await invited(talk, how=how)).is_success
    await bram.open()
    assert words in bram.screen.text("#panels .invited")


async def test_what_cannot_be_is_said_in_words_and_keeps_the_note(desk: Desk) -> None:
    talk = await connected(desk)
    await desk.agent("bram", "Loket")
    queue = await queue_id("Vergunningen")
    for form, words in (
        ({}, "Bram neemt op dit moment geen chats aan"),
        ({"to": f"queue-{queue}"}, "Niemand van de wachtrij Vergunningen is beschikbaar"),
        ({"to": "queue-x"}, "Kies een collega of een wachtrij"),
        ({"to": ""}, "Kies een collega of een wachtrij"),
        ({"note": "x" * 1_001}, "Uw notitie telt"),
    ):
        answer = await invited(talk, **form)
        assert (answer.status_code, words in answer.text) == (422, True), answer.text
        assert form.get("note", NOTE) in answer.text
    assert await tables.Invite.count() == 0
    assert await tables.PrivateMessage.count() == 0


async def test_a_request_is_transferred_from_its_tab(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor().begin("Voor wie is dit?")
    bram = await desk.agent("bram", "Vergunningen", ready=True)
    await an.open()
    await an.must("GET", f"/reservations/{an.request}/transfer")
    rows = an.screen.texts("#ask-body .invitee")
    assert any("Vergunningen" in row for row in rows)
    assert not any("Algemeen" in row for row in rows), "it is there already"
    form = {"to": f"queue-{await queue_id('Vergunningen')}"}
    await an.must("POST", f"/reservations/{an.request}/transfer", form)
    assert (await an.send("POST", f"/reservations/{an.request}/transfer", form)).status_code in (409, 422)
    await jef.get("/chat")
    assert "U wordt doorverbonden met Vergunningen" in jef.screen.text("#thread")
    await bram.open()
    assert "Voor wie is dit?" in bram.screen.text(".request-card")


async def test_a_colleague_sees_who_types(desk: Desk) -> None:
    async with live(desk) as talk:
        bram = await desk.agent("bram", "Loket", ready=True)
        await invited(talk)
        await taken(bram)
        async with bram.stream() as console:
            await console.wait_for('id="panels"')
            await talk.an.must("POST", f"/chats/{talk.chat}/typing", {})
            await console.wait_for("An typt…")
        assert "An typt" not in talk.console.data, "nobody sees themselves type"


async def test_the_last_agent_is_asked_end_or_back_to_the_queue(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.must("DELETE", f"/chats/{talk.chat}/tab")
    assert "Terug naar de wachtrij" in talk.an.screen.text("#ask-body")
    assert "Gesprek verlaten" not in talk.an.screen.text("#ask-body")
    answer = await talk.an.send("POST", f"/chats/{talk.chat}/leaving", {})
    assert answer.status_code == 409
    await talk.an.must("POST", f"/chats/{talk.chat}/leaving", {"requeue": "true"})

    async def waits() -> bool:
        row = await tables.Chat.select(tables.Chat.state).where(tables.Chat.id == int(talk.chat)).first()
        return bool(row and row["state"] == "waiting")

    await eventually_true(waits)


async def test_with_a_colleague_the_x_leaves(desk: Desk) -> None:
    talk, bram = await with_bram(desk)
    await invited(talk)
    await taken(bram)
    await talk.an.open()
    await talk.an.must("DELETE", f"/chats/{talk.chat}/tab")
    assert "Gesprek verlaten" in talk.an.screen.text("#ask-body")
    assert talk.an.screen.has(f"#head-{talk.chat} [aria-label='Gesprek verlaten']")


async def test_nobody_else_opens_the_panel_or_sends(desk: Desk) -> None:
    talk, bram = await with_bram(desk)
    for method in ("GET", "POST", "DELETE"):
        assert (await bram.send(method, f"/chats/{talk.chat}/invite")).status_code == 404
    assert (await bram.send("POST", f"/chats/{talk.chat}/leaving", {})).status_code == 404
    stranger: Visitor = desk.visitor()
    assert (await stranger.get(f"/chats/{talk.chat}/invite")).status_code == 401
