"""Are you still there? Who is asked, who never is, and what an answer is."""

import pytest

import db
from db.tables import Chat, Queue, Readiness
from features import idle, routing
from tests.conftest import Clock, Desk
from tests.scenes import Talk, connected, live

MINUTE_S = 60
QUESTION = "Bent u er nog?"


async def spoken(desk: Desk) -> Talk:
    """An has the last word."""
    talk = await connected(desk)
    await talk.an.say(talk.chat, "In welke straat?")
    return talk


async def passes(clock: Clock, minutes: float) -> None:
    """Both have live pages all the while: their beats are not what is tested here."""
    from db.tables import Presence

    await Presence.update({Presence.alive_until_at: clock.now().replace(year=2030)}, force=True)
    clock.shift(minutes * MINUTE_S)
    await idle.look()


async def asked(talk: Talk) -> bool:
    await talk.jef.open()
    return QUESTION in talk.jef.screen.text("#idle")


async def state(talk: Talk) -> tuple[str, str]:
    row = await Chat.select(Chat.state, Chat.ended_how).where(Chat.id == int(talk.chat)).first()
    assert row
    return row["state"], row["ended_how"]


async def test_after_ten_minutes_the_visitor_is_asked(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 9.8)
    assert not await asked(talk)
    await passes(clock, 0.3)
    assert await asked(talk)
    assert talk.jef.screen.text("#idle [data-act=here]") == "Ja, ik ben er nog"
    assert talk.jef.screen.first("#idle").attributes["role"] == "alert"


async def test_without_an_answer_it_ends_and_both_see_why(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    await passes(clock, 2)
    assert (await state(talk))[0] == "active", "at least two minutes to answer"
    await passes(clock, 0.3)
    assert await state(talk) == ("ended", "idle")
    await talk.jef.open()
    await talk.an.open()
    words = "beëindigd wegens inactiviteit"
    assert words in talk.jef.screen.text("#after-title")
    assert words in talk.an.screen.text(f"#thread-{talk.chat}")
    assert not talk.jef.screen.has("#idle button")


async def test_an_answer_gives_another_ten_minutes_without_limit(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    for _ in range(5):
        await passes(clock, 10.1)
        assert await asked(talk)
        await passes(clock, 1.9)
        await talk.jef.must("POST", "/chat/here")
        assert QUESTION not in talk.jef.screen.text()
        await passes(clock, 9.8)
        assert not await asked(talk)
        await talk.jef.must("POST", "/chat/typing")
    assert (await state(talk))[0] == "active"


async def test_a_late_answer_shows_that_it_has_ended(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    await passes(clock, 3)
    await talk.jef.must("POST", "/chat/here")
    assert "wegens inactiviteit" in talk.jef.screen.text("#after-title")


async def test_it_comes_and_goes_live(desk: Desk, clock: Clock) -> None:
    async with live(desk) as talk:
        await talk.an.say(talk.chat, "In welke straat?")
        await talk.window.wait_for("In welke straat?")
        await passes(clock, 10.1)
        await talk.window.wait_for(QUESTION)
        await talk.jef.say("In de Kerkstraat")
        await talk.window.wait_for(lambda: QUESTION not in talk.jef.screen.text("#idle"))
        assert (await state(talk))[0] == "active"


@pytest.mark.parametrize("sign", ["/chat/typing", "/chat/here"])
async def test_each_sign_takes_the_question_away(desk: Desk, clock: Clock, sign: str) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    assert await asked(talk)
    await talk.jef.must("POST", sign)
    assert not await asked(talk)
    await passes(clock, 5)
    assert (await state(talk))[0] == "active"


async def test_another_message_of_the_agent_starts_the_time_anew(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    await talk.an.say(talk.chat, "Bent u daar?")
    assert not await asked(talk)
    await passes(clock, 9)
    assert not await asked(talk)
    assert (await state(talk))[0] == "active"


# ---- who never is asked ----------------------------------------------------------------------------------


async def test_not_while_the_last_word_is_the_visitors(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await talk.jef.say("In de Kerkstraat")
    await passes(clock, 600)
    assert not await asked(talk)
    assert (await state(talk))[0] == "active"


async def test_not_while_no_agent_has_said_anything(desk: Desk, clock: Clock) -> None:
    talk = await connected(desk)
    await passes(clock, 600)
    assert not await asked(talk)


async def test_not_where_it_is_switched_off(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await Queue.update({Queue.idle_minutes: 0}, force=True)
    await passes(clock, 600)
    assert not await asked(talk)


async def test_switching_it_off_takes_an_open_question_away(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    await Queue.update({Queue.idle_minutes: 0}, force=True)
    await passes(clock, 10)
    assert not await asked(talk)
    assert (await state(talk))[0] == "active"


async def test_each_queue_has_its_own_time(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await Queue.update({Queue.idle_minutes: 3}, force=True)
    await passes(clock, 3.1)
    assert await asked(talk)


async def test_not_while_the_visitors_line_is_down(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    chat = Chat.id == int(talk.chat)
    await Chat.update({Chat.visitor_gone_at: clock.now()}).where(chat)
    await passes(clock, 9)
    await passes(clock, 0.9)
    await Chat.update({Chat.visitor_gone_at: None}).where(chat)
    await passes(clock, 9)
    assert not await asked(talk), "the time that the line was down does not count"
    await passes(clock, 1.1)
    assert await asked(talk)


async def test_a_line_that_drops_under_the_question_takes_it_away(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    assert await asked(talk)
    await Chat.update({Chat.visitor_gone_at: clock.now()}).where(Chat.id == int(talk.chat))
    await passes(clock, 5)
    row = await Chat.select(Chat.state, Chat.idle_asked_at).first()
    assert row == {"state": "active", "idle_asked_at": None}


async def test_not_while_no_agent_of_the_chat_is_here(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await Readiness.update({Readiness.gone_at: clock.now()}, force=True)
    await passes(clock, 0.5)
    await Readiness.update({Readiness.gone_at: None}, force=True)
    await passes(clock, 9.8)
    assert not await asked(talk)


async def test_not_in_the_queue(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await talk.an.sign_out(anyway="true")
    assert (await state(talk))[0] == "waiting"
    await passes(clock, 20)
    assert not await asked(talk)


async def test_a_restart_is_nobodys_silence(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    assert await asked(talk)
    clock.shift(20 * MINUTE_S)
    await idle.restart()
    await passes(clock, 5)
    assert not await asked(talk)
    assert (await state(talk))[0] == "active"


async def test_a_sign_in_the_last_moment_wins(desk: Desk, clock: Clock) -> None:
    """The sweep has looked, then the visitor types, then the sweep acts."""
    talk = await spoken(desk)
    await passes(clock, 10.1)
    clock.shift(3 * MINUTE_S)
    (seen,) = await idle.silent()
    assert idle.what_is_due(seen) == "end"
    await idle.sign(int(talk.chat))
    async with db.transaction():
        await db.lock(routing.LOCK)
        await idle.end(seen)
    assert (await state(talk))[0] == "active"


async def test_nobody_answers_for_another(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    assert (await desk.visitor().post("/chat/here")).status_code == 404
    assert (await desk.nobody().post("/chat/here")).status_code == 401
    assert await asked(talk)
