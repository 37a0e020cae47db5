"""Who gets which chat: each rule in words, and what it does not do."""

import asyncio
import contextlib
import json
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from db import tables
from features import absences, ledger, live, presence, profiles, queues, rounds, routing, sweeping
from features.pieces import Sight
from features.routing import (
    ButtonTurned,
    ChatChanged,
    ConversationsChanged,
    LineMoved,
    ReadinessChanged,
    RequestsChanged,
)
from tests.room import Room, made

PAIRS = 1000  # of simultaneous answers: on two databases, of three kinds
AT_ONCE = 20
FORGOTTEN = (
    tables.Step,
    tables.Refusal,
    tables.Participation,
    tables.Reservation,
    tables.Invite,
    tables.Message,
    tables.Presence,
    tables.Chat,
    tables.Readiness,
)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[live.Event]:
    """All that routing publishes, in order."""
    events: list[live.Event] = []
    publish = live.publish

    def listen(topic: str, event: live.Event) -> None:
        if type(event).__module__ == routing.__name__:
            events.append(event)
        publish(topic, event)

    monkeypatch.setattr(live, "publish", listen)
    return events


# ---- who is asked -----------------------------------------------------------------------------------------


async def test_whoever_has_fewest_chats_is_asked_then_whoever_is_idle_longest(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=3)
    bram = await room.agent("bram", {queue: 1}, places=3)
    await room.talks(an, queue)
    await room.talks(bram, queue)
    assert await room.asked(third := await room.waits(queue)) == an, (
        "idle since longer, as she accepted first"
    )
    assert await room.accepts(an) == third
    assert await room.asked(await room.waits(queue)) == bram, "fewer chats counts before that"


async def test_rejecting_and_pausing_do_not_lose_the_turn(room: Room) -> None:
    queue, other = await room.queue(), await room.queue("other")
    an = await room.agent("an", {queue: 1, other: 1})
    bram = await room.agent("bram", {queue: 1, other: 1})
    await room.waits(queue)
    await room.rejects(an)
    await room.accepts(bram)
    await routing.pause(an, "break")
    await routing.make_ready(an)
    chloe = await room.agent("chloe", {other: 1})
    assert await room.asked(await room.waits(other)) == an != chloe


async def test_priorities_of_the_profile_come_first_and_equal_ones_form_one_line(room: Room) -> None:
    first, second, other = await room.queue("1"), await room.queue("2"), await room.queue("also 1")
    an = await room.agent("an", {first: 1, other: 1, second: 2}, ready=False)
    bram = await room.agent("bram", {first: 1, other: 1, second: 2}, ready=True)
    await room.talks(bram, first)
    chats = [await room.waits(queue) for queue in (second, other, first)]
    await routing.make_ready(an)
    assert await room.asked(chats[1]) == an, "priority 1 before 2, and the oldest of both queues with a 1"


async def test_whoever_has_waited_too_long_comes_first_whatever_the_priority(room: Room) -> None:
    low, high = await room.queue("low", overdue_s=300), await room.queue("high", overdue_s=300)
    an = await room.agent("an", {low: 2, high: 1})
    busy = await room.talks(an, high)
    late = await room.waits(low)
    await room.after(299)
    other = await room.waits(high)
    room.clock.shift(1)
    await routing.end(an, busy)
    assert await room.asked(late) == an
    assert not await room.asked(other)


async def test_before_that_the_priority_counts(room: Room) -> None:
    low, high = await room.queue("low", overdue_s=300), await room.queue("high", overdue_s=300)
    an = await room.agent("an", {low: 2, high: 1})
    busy = await room.talks(an, high)
    early = await room.waits(low)
    await room.after(290)
    other = await room.waits(high)
    await routing.end(an, busy)
    assert await room.asked(other) == an
    assert not await room.asked(early)


async def test_a_begun_conversation_comes_before_all_others(room: Room) -> None:
    queue, busy = await room.queue(overdue_s=60), await room.queue("busy", overdue_s=60)
    bram = await room.agent("bram", {queue: 1, busy: 1})
    other = await room.talks(bram, busy)
    overdue = await room.waits(busy)
    room.clock.shift(1)
    an = await room.agent("an", {queue: 1})
    running = await room.talks(an, queue)
    newer = await room.waits(queue)
    await room.after(100)
    await routing.logout(an)
    assert [await routing.place(chat) for chat in (running, newer)] == [1, 2]
    await routing.end(bram, other)
    assert await room.asked(running) == bram
    assert not await room.asked(overdue), "although its ticket is older"


async def test_an_agent_has_one_open_request_and_the_next_follows_its_answer(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=3)
    first, second = await room.waits(queue), await room.waits(queue)
    assert (await room.asked(first), await room.asked(second)) == (an, 0)
    await room.accepts(an)
    assert await room.asked(second) == an


async def test_nobody_is_asked_beyond_its_places(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=1)
    talk = await room.talks(an, queue)
    waiting = await room.waits(queue)
    assert not await room.asked(waiting)
    await routing.end(an, talk)
    assert await room.asked(waiting) == an


async def test_a_profile_without_queues_gets_no_requests(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {})
    assert not await routing.is_green(queue)
    assert await routing.start(await room.visitor(), room.widget, queue) is None


async def test_who_is_logged_in_but_not_ready_is_not_asked(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, ready=False)
    bram = await room.agent("bram", {queue: 1})
    await room.talks(bram, queue)
    chat = await room.waits(queue)
    assert not await room.asked(chat)
    assert (await room.readiness(an))["reason"] == "logged_in"
    await routing.make_ready(an)
    assert await room.asked(chat) == an


# ---- answers ----------------------------------------------------------------------------------------------


async def test_accepting_connects(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    ticket = (await room.chat(chat))["ticket_at"]
    await room.after(3)
    assert await room.accepts(an) == chat
    row = await room.chat(chat)
    assert (row["state"], row["begun"], row["returned"], row["ticket_at"]) == ("active", True, False, ticket)
    [seat] = await tables.Participation.select().where(tables.Participation.chat == chat)
    assert (seat["agent"], seat["queue"], seat["left_at"]) == (an, queue, None)
    assert await room.outcomes(chat) == ["accepted"]


async def test_a_rejected_chat_goes_to_the_next_agent_at_once_with_its_ticket(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    bram = await room.agent("bram", {queue: 1})
    chat = await room.waits(queue)
    ticket = (await room.chat(chat))["ticket_at"]
    assert await room.rejects(an)
    assert await room.asked(chat) == bram
    assert (await room.chat(chat))["ticket_at"] == ticket
    assert (await room.readiness(an))["ready"], "a rejection pauses nobody"


async def test_a_rejected_chat_keeps_its_place_in_line(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat, next_one = await room.waits(queue), await room.waits(queue)
    await room.rejects(an)
    assert (await routing.place(chat), await routing.place(next_one)) == (1, 2)
    assert await room.asked(next_one) == an, "and who rejected it takes the next one meanwhile"


async def test_a_refuser_is_asked_again_after_30_s_if_nobody_else_may_come(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    await room.rejects(an)
    await room.after(29)
    assert not await room.asked(chat)
    await room.after(1)
    assert await room.asked(chat) == an


async def test_a_full_agent_is_waited_for_only_until_the_chat_is_overdue(room: Room) -> None:
    queue = await room.queue(overdue_s=100)
    bram = await room.agent("bram", {queue: 1})
    await room.talks(bram, queue)
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    await room.rejects(an)
    await room.after(90)
    assert not await room.asked(chat)
    await room.after(10)
    assert await room.asked(chat) == an


async def test_silence_pauses_and_asks_the_next_agent(room: Room) -> None:
    queue = await room.queue(answer_s=30)
    an = await room.agent("an", {queue: 1})
    bram = await room.agent("bram", {queue: 1})
    chat = await room.waits(queue)
    await room.after(29)
    assert await room.asked(chat) == an
    await room.after(1)
    assert await room.asked(chat) == bram
    assert await room.outcomes(chat) == ["no_answer", ""]
    readiness = await room.readiness(an)
    assert (readiness["ready"], readiness["reason"]) == (False, "not_answered")


async def test_silence_is_forgiven_by_being_ready_again_and_a_rejection_is_not(room: Room) -> None:
    queue = await room.queue(answer_s=20)
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    await room.after(20)
    assert not await room.asked(chat)
    await routing.make_ready(an)
    assert await room.asked(chat) == an
    await room.rejects(an)
    await routing.pause(an, "break")
    await routing.make_ready(an)
    assert not await room.asked(chat)


async def test_a_new_login_forgives_all(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    await room.rejects(an)
    await routing.logout(an)
    await routing.login(an, await room.profile({queue: 1}))
    assert not await room.asked(chat), "a login starts paused"
    await routing.make_ready(an)
    assert await room.asked(chat) == an


async def test_an_accepted_chat_forgets_its_refusals(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    bram = await room.agent("bram", {queue: 1})
    chat = await room.waits(queue)
    await room.rejects(an)
    await room.accepts(bram)
    await routing.logout(bram)
    assert await room.asked(chat) == an


@pytest.mark.parametrize("whose", ["late", "foreign", "second"])
async def test_a_late_foreign_or_second_answer_changes_nothing(room: Room, whose: str) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    bram = await room.agent("bram", {queue: 1})
    chat = await room.waits(queue)
    request = await room.request(an)
    if whose == "late":
        await room.after(31)
    if whose == "second":
        assert await routing.accept(request, an) == chat
    before = await everything()
    answerer = bram if whose == "foreign" else an
    assert await routing.accept(request, answerer) is None
    assert not await routing.reject(request, answerer)
    assert await everything() == before


async def everything() -> list[Any]:
    return [await table.select() for table in tables.TABLES]


# ---- an agent's line, pauses, profiles --------------------------------------------------------------------


async def test_the_request_of_a_vanished_agent_goes_back_after_10_s_without_a_penalty(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    bram = await room.agent("bram", {queue: 1})
    chat = await room.waits(queue)
    await absences.lose_agent(an)
    await room.after(9)
    assert await room.asked(chat) == an
    await room.after(1)
    assert await room.asked(chat) == bram
    assert (await room.outcomes(chat))[0] == "gone"
    assert not await tables.Refusal.count()
    assert (await room.readiness(an))["ready"]


async def test_a_dropped_line_of_less_than_10_s_changes_nothing(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    await absences.lose_agent(an)
    await room.after(9)
    await absences.regain_agent(an)
    await room.after(9)
    assert await room.asked(chat) == an
    assert (await room.readiness(an))["here"]


async def test_an_absence_at_the_deadline_is_not_silence(room: Room) -> None:
    queue = await room.queue(answer_s=30)
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    await room.after(25)
    await absences.lose_agent(an)
    await room.after(5)
    assert await room.outcomes(chat) == ["gone"]
    assert (await room.readiness(an))["ready"]


async def test_who_has_no_live_line_is_not_asked_anew(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    await absences.lose_agent(an)
    chat = await room.waits(queue)
    assert not await room.asked(chat)
    await absences.regain_agent(an)
    assert await room.asked(chat) == an


async def test_who_is_away_for_60_s_makes_itself_ready_again(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    await absences.lose_agent(an)
    await room.after(59)
    assert (await room.readiness(an))["ready"]
    await room.after(1)
    readiness = await room.readiness(an)
    assert (readiness["ready"], readiness["reason"]) == (False, "connection_lost")
    assert not await routing.make_ready(an), "not without a live line"
    await absences.regain_agent(an)
    assert not (await room.readiness(an))["ready"]
    assert await routing.make_ready(an)


async def test_a_pause_withdraws_the_request_and_keeps_the_conversations(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=2)
    talk = await room.talks(an, queue)
    chat = await room.waits(queue)
    assert await routing.pause(an, "lunch")
    assert await room.outcomes(chat) == ["withdrawn"]
    assert not await tables.Refusal.count()
    assert await room.state(talk) == "active"
    assert (await room.readiness(an))["reason"] == "lunch"


async def test_another_profile_keeps_the_request_if_it_has_its_queue(room: Room) -> None:
    queue, other = await room.queue(), await room.queue("other")
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    await routing.switch(an, await room.profile({queue: 2}))
    assert await room.asked(chat) == an
    await routing.switch(an, await room.profile({other: 1}))
    assert await room.outcomes(chat) == ["withdrawn"]
    assert not await tables.Refusal.count()


async def test_a_smaller_profile_never_breaks_off_a_conversation(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=2)
    talks = [await room.talks(an, queue), await room.talks(an, queue)]
    await routing.switch(an, await room.profile({queue: 1}, places=1))
    assert [await room.state(chat) for chat in talks] == ["active", "active"]
    chat = await room.waits(queue)
    await routing.end(an, talks[0])
    assert not await room.asked(chat)
    await routing.end(an, talks[1])
    assert await room.asked(chat) == an


async def test_a_login_on_a_second_screen_takes_nothing_away(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=2)
    await room.talks(an, queue)
    chat = await room.waits(queue)
    await routing.login(an, await room.profile({queue: 1}, places=2))
    assert await room.asked(chat) == an
    assert (await room.readiness(an))["ready"]


# ---- visitors who are away --------------------------------------------------------------------------------


async def test_a_chat_is_not_offered_while_its_visitor_is_away(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    talk = await room.talks(an, queue)
    first, second = await room.waits(queue), await room.waits(queue)
    await absences.lose_visitor(first)
    await room.after(10)
    await routing.end(an, talk)
    assert await room.asked(second) == an
    await absences.back_visitor(first)
    assert await routing.place(first) == 1, "the ticket stays"
    await routing.end(an, await room.accepts(an) or 0)
    assert await room.asked(first) == an


async def test_it_is_offered_if_the_line_was_gone_for_less_than_10_s(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, ready=False)
    chat = await waits_for(room, an, queue)
    await absences.lose_visitor(chat)
    await room.after(9)
    await routing.make_ready(an)
    assert await room.asked(chat) == an


async def waits_for(room: Room, paused: int, queue: int) -> int:
    """A chat that nobody is asked for, as this agent is paused again."""
    await routing.make_ready(paused)
    chat = await room.waits(queue)
    await routing.pause(paused, "break")
    return chat


async def test_a_waiting_chat_keeps_its_place_for_2_min_without_its_visitor(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await waits_for(room, an, queue)
    await absences.lose_visitor(chat)
    await room.after(119)
    assert await room.state(chat) == "waiting"
    await room.after(1)
    assert (await room.chat(chat))["ended_how"] == "visitor_gone"


async def test_a_begun_conversation_waits_as_long_as_its_queue_says(room: Room) -> None:
    queue = await room.queue(away_s=600)
    an = await room.agent("an", {queue: 1}, places=2)
    active, returned = await room.talks(an, queue), await room.talks(an, queue)
    await routing.leave(an, returned, requeue=True)
    for chat in (active, returned):
        await absences.lose_visitor(chat)
    await room.after(599)
    assert [await room.state(active), await room.state(returned)] == ["active", "waiting"]
    await room.after(1)
    assert [await room.state(active), await room.state(returned)] == ["ended", "ended"]


async def test_a_visitor_who_comes_back_finds_the_chat(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    visitor = await room.visitor()
    chat = await routing.start(visitor, room.widget, queue)
    assert chat
    await room.accepts(an)
    await absences.lose_visitor(chat)
    await room.after(300)
    assert not (await room.chat(chat))["visitor_here"]
    found = await room.press(queue, visitor)
    assert found
    assert (found.id, found.state) == (chat, "active")
    row = await room.chat(chat)
    assert (row["visitor_gone_at"], row["visitor_here"]) == (None, True)


# ---- green ------------------------------------------------------------------------------------------------


async def test_green_follows_login_pause_full_and_the_ends_of_chats(room: Room) -> None:
    queue = await room.queue()
    seen = [await routing.is_green(queue)]
    an = await room.agent("an", {queue: 1}, ready=False)
    seen.append(await routing.is_green(queue))
    await routing.make_ready(an)
    seen.append(await routing.is_green(queue))
    talk = await room.talks(an, queue)
    seen.append(await routing.is_green(queue))
    await routing.end(an, talk)
    seen.append(await routing.is_green(queue))
    await routing.pause(an, "break")
    seen.append(await routing.is_green(queue))
    assert seen == [False, False, True, False, True, False]


async def test_green_needs_a_place_besides_those_of_whoever_waits(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=2)
    await room.waits(queue)
    assert await routing.is_green(queue), "an answers one, and has a place for another"
    await room.waits(queue)
    assert not await routing.is_green(queue), "which is taken as soon as an has answered"
    await room.accepts(an)
    assert not await routing.is_green(queue)


async def test_two_queues_may_share_the_last_place(room: Room) -> None:
    one, two = await room.queue("1"), await room.queue("2")
    await room.agent("an", {one: 1, two: 1})
    assert [await routing.is_green(one), await routing.is_green(two)] == [True, True]
    assert await room.press(one)
    assert [await routing.is_green(one), await routing.is_green(two)] == [False, False]


async def test_a_chat_that_all_have_refused_does_not_make_the_button_blue(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    await room.waits(queue)
    await room.rejects(an)
    assert await routing.is_green(queue)


async def test_an_agent_of_another_queue_makes_nothing_green(room: Room) -> None:
    queue, other = await room.queue(), await room.queue("other")
    await room.agent("an", {other: 1})
    assert [await routing.is_green(queue), await routing.is_green(other)] == [False, True]


async def test_green_follows_the_opening_hours(room: Room) -> None:
    queue = await room.queue(always_open=False)
    await made(tables.OpeningHours(queue=queue, weekday=2, opens_minute=9 * 60, closes_minute=12 * 60))
    await room.agent("an", {queue: 1})
    assert await routing.is_green(queue), "Wednesday, ten o'clock"
    room.clock.start_at("2026-03-11T11:59:59+01:00")
    await sweeping.sweep()
    assert await routing.is_green(queue)
    room.clock.start_at("2026-03-11T12:00:00+01:00")
    await sweeping.sweep()
    assert not await routing.is_green(queue)
    assert await room.press(queue) is None
    room.clock.start_at("2026-03-18T09:00:00+01:00")
    await sweeping.sweep()
    assert not await routing.is_green(queue), "an has gone home: no answer to a beat for a week"


# ---- holds ------------------------------------------------------------------------------------------------


async def test_a_press_holds_a_place_that_nobody_else_gets(room: Room) -> None:
    queue, urgent = await room.queue(), await room.queue("urgent")
    an = await room.agent("an", {queue: 2, urgent: 1})
    hold = await room.press(queue)
    assert hold
    assert (await room.chat(hold.id))["promised_to"] == an
    assert not await routing.is_green(urgent)
    assert not await room.asked(await room.waits(urgent)), "not even with a higher priority"


async def test_a_started_chat_has_the_ticket_and_the_place_of_its_hold(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    visitor = await room.visitor()
    hold = await room.press(queue, visitor)
    assert hold
    ticket = (await room.chat(hold.id))["ticket_at"]
    await room.after(30)
    chat = await routing.start(visitor, room.widget, queue, name="Jan", email="jan@example.be")
    assert chat == hold.id
    row = await room.chat(chat)
    assert (row["state"], row["ticket_at"], row["visitor_name"]) == ("waiting", ticket, "Jan")
    assert (row["visitor_email"], row["promised_to"], row["address_hash"]) == ("jan@example.be", None, "")
    assert await room.asked(chat) == an


async def test_starting_twice_is_one_chat(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1}, places=3)
    visitor = await room.visitor()
    starts = [routing.start(visitor, room.widget, queue) for _ in range(4)]
    assert len(set(await asyncio.gather(*starts))) == 1
    assert await tables.Chat.count() == 1


async def test_pressing_twice_is_one_hold_which_is_not_prolonged(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1}, places=3)
    visitor = await room.visitor()
    first = await room.press(queue, visitor)
    room.clock.shift(10)
    assert await room.press(queue, visitor) == first
    assert await tables.Chat.count() == 1


async def test_a_hold_is_over_after_60_s(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1})
    hold = await room.press(queue)
    assert hold
    await room.after(59)
    assert not await routing.is_green(queue)
    await room.after(1)
    assert await routing.is_green(queue)
    assert (await room.chat(hold.id))["ended_how"] == "hold_expired"
    assert await room.steps(hold.id) == ["pressed", "promised", "hold_ended"]


async def test_typing_renews_a_hold_up_to_5_min(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1})
    visitor = await room.visitor()
    hold = await room.press(queue, visitor)
    assert hold
    for _ in range(6):
        await room.after(49)
        assert await routing.renew_hold(visitor)
    await room.after(5)
    assert await room.state(hold.id) == "forming"
    await room.after(1)
    assert await room.state(hold.id) == "ended"
    assert not await routing.renew_hold(visitor)


async def test_a_form_whose_hold_is_over_still_starts_the_chat(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    visitor = await room.visitor()
    hold = await room.press(queue, visitor)
    assert hold
    await room.after(61)
    chat = await routing.start(visitor, room.widget, queue)
    assert chat
    assert chat != hold.id
    assert await room.asked(chat) == an


async def test_two_holds_per_address_and_not_three(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1}, places=5)
    assert await room.press(queue, address_hash="here")
    assert await room.press(queue, address_hash="here")
    assert await room.press(queue, address_hash="here") is None
    assert await room.press(queue, address_hash="there")


async def test_a_started_chat_is_no_hold_of_its_address(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1}, places=5)
    visitor = await room.visitor()
    await room.press(queue, visitor, address_hash="here")
    await room.press(queue, address_hash="here")
    await routing.start(visitor, room.widget, queue)
    assert await room.press(queue, address_hash="here")


async def test_a_hold_is_given_back_10_s_after_its_page_is_gone(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1})
    hold = await room.press(queue)
    assert hold
    await presence.opened("window", chat_id=hold.id)
    await presence.closed("window")
    await room.after(9)
    assert await room.state(hold.id) == "forming"
    await room.after(1)
    assert await room.state(hold.id) == "ended"
    assert await routing.is_green(queue)


async def test_a_hold_moves_to_another_agent(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    bram = await room.agent("bram", {queue: 1})
    hold = await room.press(queue)
    assert hold
    assert (await room.chat(hold.id))["promised_to"] == an
    await routing.pause(an, "break")
    assert (await room.chat(hold.id))["promised_to"] == bram


async def test_a_hold_that_nobody_can_keep_is_gone_and_the_form_still_starts_the_chat(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    visitor = await room.visitor()
    hold = await room.press(queue, visitor)
    assert hold
    await routing.logout(an)
    assert (await room.chat(hold.id))["promised_to"] is None
    chat = await routing.start(visitor, room.widget, queue)
    assert chat == hold.id
    assert await routing.outlook(chat) == "nobody"


async def test_a_hold_follows_the_subject_if_it_can(room: Room) -> None:
    one, two, three = await room.queue("1"), await room.queue("2"), await room.queue("3")
    await room.agent("an", {one: 1})
    bram = await room.agent("bram", {two: 1})
    visitor = await room.visitor()
    hold = await room.press(one, visitor)
    assert hold
    assert await routing.choose(visitor, two)
    row = await room.chat(hold.id)
    assert (row["queue"], row["promised_to"]) == (two, bram)
    assert not await routing.choose(visitor, three)
    assert (await room.chat(hold.id))["queue"] == two
    assert await routing.is_green(one), "the first place is free again"
    assert "moved" in await room.steps(hold.id)


async def test_a_place_is_not_given_when_none_is_free(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1})
    assert await room.press(queue)
    assert await room.press(queue) is None


async def test_without_a_place_one_may_wait_if_somebody_is_there(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    await room.talks(an, queue)
    chat = await room.waits(queue)
    assert (await routing.outlook(chat), await routing.place(chat)) == ("line", 1)
    await routing.pause(an, "break")
    assert await routing.outlook(chat) == "nobody"
    assert await routing.start(await room.visitor(), room.widget, queue) is None


async def test_a_queue_that_is_not_there_holds_no_place(room: Room) -> None:
    assert await room.press(12345) is None
    assert await routing.start(await room.visitor(), room.widget, 12345) is None
    assert not await routing.is_green(12345)


# ---- ends -------------------------------------------------------------------------------------------------


async def test_a_visitor_who_leaves_withdraws_the_request_and_nobody_is_penalised(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    visitor = await room.visitor()
    chat = await routing.start(visitor, room.widget, queue)
    assert chat
    assert await routing.leave_visitor(visitor)
    assert await room.outcomes(chat) == ["visitor_left"]
    row = await room.chat(chat)
    assert (row["state"], row["ended_how"], row["ended_by"]) == ("ended", "by_visitor", None)
    assert (await room.readiness(an))["ready"]
    assert await routing.is_green(queue)
    assert not await routing.leave_visitor(visitor)


async def test_an_agent_ends_its_own_chats_only(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    bram = await room.agent("bram", {queue: 1})
    chat = await room.talks(an, queue)
    assert not await routing.end(bram, chat)
    assert await routing.end(an, chat)
    row = await room.chat(chat)
    assert (row["ended_how"], row["ended_by"]) == ("by_agent", an)
    [seat] = await tables.Participation.select()
    assert seat["left_how"] == "ended"
    assert not await routing.end(an, chat)


async def test_leaving_is_only_for_whoever_sends_the_chat_back_to_the_queue(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    assert not await routing.leave(an, chat)
    assert await room.state(chat) == "active"
    assert await routing.leave(an, chat, requeue=True)
    row = await room.chat(chat)
    assert (row["state"], row["returned"]) == ("waiting", True)
    assert not await room.asked(chat), "who left it is asked last"
    await room.after(30)
    assert await room.asked(chat) == an


async def test_a_vanished_agent_has_the_grace_of_the_queue(room: Room) -> None:
    queue = await room.queue(grace_s=60)
    an = await room.agent("an", {queue: 1})
    bram = await room.agent("bram", {queue: 1})
    chat = await room.talks(an, queue)
    ticket = (await room.chat(chat))["ticket_at"]
    await absences.lose_agent(an)
    await room.after(59)
    assert await room.state(chat) == "active"
    await room.after(1)
    row = await room.chat(chat)
    assert (row["state"], row["returned"], row["begun"], row["ticket_at"]) == ("waiting", True, True, ticket)
    assert await room.asked(chat) == bram
    [seat] = await tables.Participation.select()
    assert seat["left_how"] == "gone"


async def test_one_who_returns_in_time_goes_on(room: Room) -> None:
    queue = await room.queue(grace_s=60)
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    await absences.lose_agent(an)
    await room.after(59)
    await absences.regain_agent(an)
    await room.after(60)
    assert await room.state(chat) == "active"


async def test_logging_out_gives_the_chats_back(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    bram = await room.agent("bram", {queue: 1})
    chat = await room.talks(an, queue)
    await routing.logout(an)
    assert await room.asked(chat) == bram
    [seat] = await tables.Participation.select()
    assert seat["left_how"] == "logged_out"
    readiness = await room.readiness(an)
    assert (readiness["profile"], readiness["ready"], readiness["reason"]) == (None, False, "logged_out")


async def test_closing_time_lets_nobody_in_and_serves_who_waits(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=1)
    talk = await room.talks(an, queue)
    chat = await room.waits(queue)
    await tables.Queue.update({tables.Queue.always_open: False}).where(tables.Queue.id == queue)
    await room.after(1000)
    assert [await room.state(talk), await room.state(chat)] == ["active", "waiting"]
    assert await routing.start(await room.visitor(), room.widget, queue) is None
    await routing.end(an, talk)
    assert await room.asked(chat) == an
    assert await room.press(queue) is None


async def test_after_closing_time_a_chat_nobody_is_left_for_ends_in_5_min(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=2)
    chat = await waits_for(room, an, queue)
    await room.after(1000)
    assert await room.state(chat) == "waiting", "while the queue is open nothing ends it"
    await tables.Queue.update({tables.Queue.always_open: False}).where(tables.Queue.id == queue)
    await room.after(0)
    await room.after(299)
    assert await room.state(chat) == "waiting"
    await room.after(1)
    assert (await room.chat(chat))["ended_how"] == "closed"


# ---- restart ----------------------------------------------------------------------------------------------


async def test_downtime_is_nobodys_fault(room: Room) -> None:
    await made(tables.Desk(name="desk"))
    one, two = await room.queue("1", answer_s=30), await room.queue("2")
    an = await room.agent("an", {one: 1})
    bram = await room.agent("bram", {two: 1}, places=2)
    asked = await room.waits(one)
    talk = await room.talks(bram, two)
    hold = await room.press(two)
    assert hold
    await room.after(20)
    await sweeping.sweep()
    room.clock.shift(1000)
    await sweeping.restart()
    assert await room.asked(asked) == an
    assert [await room.state(chat) for chat in (talk, hold.id)] == ["active", "forming"]
    for agent in (an, bram):
        await presence.opened(f"console-{agent}", agent_id=agent)
    for chat in (asked, talk, hold.id):
        await presence.opened(f"window-{chat}", chat_id=chat)
    await room.after(9)
    assert await room.asked(asked) == an
    await room.after(1)
    assert await room.outcomes(asked) == ["no_answer"], "there were 10 s left"
    assert await room.state(hold.id) == "forming"
    await room.after(30)
    assert await room.state(hold.id) == "ended"


async def test_a_clock_that_was_set_back_makes_nobody_wait_longer(room: Room) -> None:
    await made(tables.Desk(name="desk"))
    queue = await room.queue(answer_s=30)
    an = await room.agent("an", {queue: 1})
    asked = await room.waits(queue)
    await room.after(10)
    await sweeping.sweep()
    for hours in (-1, 0):  # and started once more
        room.clock.shift(hours * 3600)
        await sweeping.restart()
        await presence.opened("console", agent_id=an)
        await presence.opened("window", chat_id=asked)
        await sweeping.sweep()
        assert await room.outcomes(asked) == [""]
    await room.after(19)
    assert await room.asked(asked) == an
    await room.after(1)
    assert await room.outcomes(asked) == ["no_answer"]


async def test_after_a_restart_there_are_10_s_to_come_back(room: Room) -> None:
    queue = await room.queue(answer_s=60)
    an = await room.agent("an", {queue: 1})
    await presence.opened("console", agent_id=an)
    chat = await room.waits(queue)
    await presence.opened("window", chat_id=chat)
    await sweeping.restart()
    assert await tables.Presence.count() == 0
    await room.after(9)
    assert await room.asked(chat) == an
    await room.after(1)
    assert await room.outcomes(chat) == ["gone"]
    assert (await room.readiness(an))["ready"], "nobody is paused for it"


# ---- what is told -----------------------------------------------------------------------------------------


async def test_what_follows_from_a_step_is_in_its_transaction_and_in_order(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[routing.StepFacts] = []

    async def listen(step: routing.StepFacts) -> None:
        assert await tables.Step.exists().where(tables.Step.id == step.id)
        told.append(step)

    for what in ("joined", "left", "returned", "ended"):
        monkeypatch.setitem(routing.listeners, what, [listen])
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.talks(an, queue)
    await routing.leave(an, chat, requeue=True)
    await room.after(30)
    await room.accepts(an)
    await routing.end(an, chat)
    assert [(step.what, step.chat, step.name) for step in told] == [
        ("joined", chat, "an"),
        ("left", chat, "an"),
        ("returned", chat, ""),
        ("joined", chat, "an"),
        ("ended", chat, "an"),
    ]
    assert told[1].data["how"] == "left"
    assert (told[0].data["again"], told[3].data["again"]) == (False, True)
    assert told[4].data["how"] == "by_agent"


async def test_if_what_follows_fails_nothing_has_happened(
    room: Room, monkeypatch: pytest.MonkeyPatch, heard: list[live.Event]
) -> None:
    async def fail(step: routing.StepFacts) -> None:
        raise ZeroDivisionError

    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    monkeypatch.setitem(routing.listeners, "joined", [fail])
    before = await everything()
    heard.clear()
    with pytest.raises(ZeroDivisionError):
        await room.accepts(an)
    assert await everything() == before
    assert not heard
    monkeypatch.setitem(routing.listeners, "joined", [])
    assert await room.accepts(an) == chat


async def test_pages_hear_of_what_concerns_them(room: Room, heard: list[live.Event]) -> None:
    queue, other = await room.queue(), await room.queue("other")
    an = await room.agent("an", {queue: 1})
    assert set(heard) == {ReadinessChanged(an), ButtonTurned(queue)}
    heard.clear()
    chat = await room.waits(queue)
    assert set(heard) == {ChatChanged(chat), RequestsChanged(an), LineMoved(queue), ButtonTurned(queue)}
    assert LineMoved(other) not in heard
    heard.clear()
    await room.accepts(an)
    assert set(heard) == {ChatChanged(chat), RequestsChanged(an), ConversationsChanged(an), LineMoved(queue)}
    heard.clear()
    await absences.lose_agent(an)
    await absences.lose_visitor(chat)
    assert not heard, "a short drop is nobody's business"
    await room.after(10)
    assert set(heard) == {ReadinessChanged(an), ChatChanged(chat)}
    heard.clear()
    await absences.regain_agent(an)
    await absences.back_visitor(chat)
    assert set(heard) == {ReadinessChanged(an), ChatChanged(chat)}
    heard.clear()
    await routing.end(an, chat)
    assert set(heard) == {ChatChanged(chat), ConversationsChanged(an), ButtonTurned(queue)}


async def test_a_waiting_visitor_hears_that_nobody_is_left(room: Room, heard: list[live.Event]) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    await room.talks(an, queue)
    chat = await room.waits(queue)
    heard.clear()
    await routing.pause(an, "break")
    assert ChatChanged(chat) in heard


async def test_the_ledger_says_why(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 2}, places=3)
    bram = await room.agent("bram", {queue: 1}, places=2)
    chat = await room.waits(queue)
    await room.rejects(an)
    await room.accepts(bram)
    assert await room.steps(chat) == ["started", "asked", "rejected", "asked", "joined"]
    asked = tables.Step.what == "asked"
    first, second = [json.loads(row["data"]) for row in await tables.Step.select().where(asked)]
    assert (first["turn"], first["priority"], first["taken"], first["places"]) == ("priority", 2, 0, 3)
    assert first["others"] == [bram]
    assert second["others"] == []


async def test_settling_with_nothing_to_do_writes_nothing(room: Room, heard: list[live.Event]) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1}, places=2)
    await room.talks(an, queue)
    await room.waits(queue)
    before = await everything()
    heard.clear()
    await room.after(5)
    assert await everything() == before
    assert not heard


async def test_conversations_in_which_nothing_is_due_are_not_read(room: Room) -> None:
    queue = await room.queue(away_s=600)
    an = await room.agent("an", {queue: 1}, places=4)
    quiet, left = [await room.talks(an, queue) for _ in range(2)]
    waiting = await room.waits(queue)
    await absences.lose_visitor(left)

    async def in_sight(**whose: Any) -> set[int]:
        desk = await ledger.load(room.clock.now(), Sight(**whose))
        assert desk.taken()[an] == 3
        return set(desk.chats)

    assert await in_sight() == {left, waiting}
    assert await in_sight(chat=quiet) == {quiet, left, waiting}
    assert await in_sight(agent=an) == {quiet, left, waiting}
    assert await in_sight(visitor=(await room.chat(quiet))["visitor"]) == {quiet, left, waiting}
    await absences.lose_agent(an)
    assert await in_sight() == {quiet, left, waiting}


# ---- the sweep --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("by_itself")
async def test_the_sweeper_survives_what_goes_wrong(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = await room.queue(answer_s=30)
    an = await room.agent("an", {queue: 1})
    await presence.opened("console", agent_id=an)
    chat = await room.waits(queue)
    load, failures = ledger.load, iter([OSError("the disk is full"), ZeroDivisionError()])

    async def fail_at_first(*how: Any) -> Any:
        for failure in failures:
            raise failure
        return await load(*how)

    monkeypatch.setattr(ledger, "load", fail_at_first)
    room.clock.shift(30)
    stop = asyncio.Event()
    going = asyncio.create_task(rounds.every(0.01, sweeping.sweep_again)(stop))
    for _ in range(500):
        if await room.outcomes(chat) == ["no_answer"]:
            break
        await asyncio.sleep(0.02)
    stop.set()
    await going
    assert await room.outcomes(chat) == ["no_answer"]


async def test_a_desk_with_nobody_in_it_is_not_swept(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = await room.queue()
    assert not await sweeping.anything_to_watch()
    an = await room.agent("an", {queue: 1})
    assert await sweeping.anything_to_watch()
    await routing.logout(an)
    room.clock.shift(60)
    assert await sweeping.anything_to_watch(), "a page that no longer answers"
    await sweeping.sweep()
    assert not await sweeping.anything_to_watch()


@pytest.mark.parametrize("shared", ["postgresql"], indirect=True)
async def test_one_process_sweeps_at_a_time(room: Room, shared: str) -> None:
    queue = await room.queue(answer_s=30)
    await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    room.clock.shift(30)
    other = await asyncpg.connect(shared)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(other.close)
        await other.fetch("SELECT pg_advisory_lock(hashtext('balie sweep'))")
        await sweeping.sweep()
        assert await room.outcomes(chat) == [""]
    await sweeping.sweep()
    assert await room.outcomes(chat) == ["no_answer"]


async def test_the_server_says_that_it_is_up(room: Room) -> None:
    desk = await made(tables.Desk(name="desk"))
    queue = await room.queue()
    await room.agent("an", {queue: 1})

    async def alive_at() -> Any:
        row = await tables.Desk.select(tables.Desk.alive_at).where(tables.Desk.id == desk).first()
        return row and row["alive_at"]

    await sweeping.sweep()
    first = await alive_at()
    room.clock.shift(2)
    await sweeping.sweep()
    assert await alive_at() == first, "not with every sweep"
    room.clock.shift(4)
    await sweeping.sweep()
    assert await alive_at() > first


# ---- simultaneous answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rival", ["itself", "another agent"])
async def test_of_two_simultaneous_answers_exactly_one_wins(room: Room, rival: str) -> None:
    queue, agents, visitors = await crowd(room)
    for _ in range(PAIRS // 6 // AT_ONCE + 1):
        requests = await all_are_asked(room, queue, agents, visitors)
        pairs = [
            (routing.accept(request, agent), routing.accept(request, agent if rival == "itself" else other))
            for request, agent, other in zip(requests, agents, agents[1:] + agents[:1], strict=True)
        ]
        answers = await asyncio.gather(*(answer for pair in pairs for answer in pair))
        assert all((a is None) != (b is None) for a, b in zip(answers[::2], answers[1::2], strict=True))
        assert await outcomes() == ["accepted"] * AT_ONCE
        assert await tables.Participation.count() == AT_ONCE


async def test_at_the_deadline_whoever_commits_first_wins(room: Room) -> None:
    queue, agents, visitors = await crowd(room)
    seen = set()
    for _ in range(PAIRS // 6 // AT_ONCE + 1):
        requests = await all_are_asked(room, queue, agents, visitors)
        for n, (request, agent) in enumerate(zip(requests, agents, strict=True)):
            table = tables.Reservation
            await table.update({table.expires_at: room.clock.now()}).where(table.id == request)
            first, second = routing.accept(request, agent), routing.settle()
            chat, _ = await asyncio.gather(first, second) if n % 2 else await in_turn(second, first)
            row = await table.select(table.outcome).where(table.id == request).first()
            assert row
            assert row["outcome"] == ("no_answer" if chat is None else "accepted")
            assert (await room.readiness(agent))["ready"] == (chat is not None)
            seen.add(row["outcome"])
    assert seen == {"accepted", "no_answer"}


async def in_turn(sweep: Any, answer: Any) -> tuple[Any, Any]:
    swept, answered = await asyncio.gather(sweep, answer)
    return answered, swept


async def crowd(room: Room) -> tuple[int, list[int], list[int]]:
    """A queue, and agents and visitors who are there only once."""
    agents = [await room.person(str(n)) for n in range(AT_ONCE)]
    return await room.queue(), agents, [await room.visitor() for _ in agents]


async def all_are_asked(room: Room, queue: int, agents: list[int], visitors: list[int]) -> list[int]:
    """Each agent for a chat of its own, and nothing else; the requests."""
    profile, now = await room.profile({queue: 1}), room.clock.now()
    for table in FORGOTTEN:
        await table.delete(force=True)
    on_duty = {"profile": profile, "ready": True, "idle_since_at": now}
    await add(tables.Readiness, *({"agent": agent, **on_duty} for agent in agents))
    waits = {"queue": queue, "widget": room.widget, "state": "waiting", "ticket_at": now, "started_at": now}
    chats = await add(tables.Chat, *({"visitor": visitor, **waits} for visitor in visitors))
    asked = {"queue": queue, "opened_at": now, "expires_at": now + timedelta(seconds=30)}
    pairs = zip(chats, agents, strict=True)
    return await add(tables.Reservation, *({"chat": chat, "agent": agent, **asked} for chat, agent in pairs))


async def add(table: Any, *rows: dict[str, Any]) -> list[int]:
    return [row["id"] for row in await table.insert(*(table(row) for row in rows))]


async def outcomes() -> list[str]:
    return [row["outcome"] for row in await tables.Reservation.select()]


# ---- queues and profiles ----------------------------------------------------------------------------------


async def test_queues_say_their_names_and_how_many_wait(room: Room) -> None:
    b, a = await room.queue("b"), await room.queue("a")
    await room.agent("an", {a: 1, b: 1}, places=3)
    await room.waits(b)
    await room.press(b)
    assert list((await queues.names()).items()) == [(a, "a"), (b, "b")]
    assert await queues.waiting_counts() == {a: 0, b: 1}
    assert [await queues.name_of(a), await queues.name_of(999)] == ["a", ""]


async def test_profiles_say_what_they_hold_and_who_may_choose_them(room: Room) -> None:
    a, b = await room.queue("a"), await room.queue("b")
    both, none = await room.profile({b: 1, a: 2}, places=2), await room.profile({})
    an, bram = await room.person("an"), await room.person("bram")
    for profile in (both, none):
        await made(tables.AgentProfile(agent=an, profile=profile))
    assert [facts.id for facts in await profiles.choosable(an)] == [both, none]
    assert await profiles.choosable(bram) == []
    facts = await profiles.by_id(both)
    assert facts
    assert facts.places == 2
    assert [(served.name, served.priority) for served in facts.queues] == [("b", 1), ("a", 2)]
    assert await profiles.profile_queues(none) == ()
    assert await profiles.by_id(999) is None
