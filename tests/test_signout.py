"""Signing out with conversations: handed over, back to the queue, or not yet."""

from typing import Any

from db import tables
from tests.conftest import Desk
from tests.people import AgentClient
from tests.scenes import Talk, at_work, taken
from tests.test_invites import id_of, present, queue_id


async def busy(desk: Desk, *names: str) -> tuple[AgentClient, list[Talk]]:
    """An, in a conversation with each of them."""
    an = await at_work(desk)
    talks = []
    for name in names:
        jef = await desk.visitor().begin(f"Een vraag van {name}", name=name)
        talks.append(Talk(jef, an, await taken(an)))
    return an, talks


async def sign_out(an: AgentClient, to: dict[str, str]) -> Any:
    return await an.sign_out(anyway="true", **{f"to-{chat}": target for chat, target in to.items()})


async def state(chat: str) -> tuple[str, bool]:
    row = await tables.Chat.select().where(tables.Chat.id == int(chat)).first()
    assert row
    return row["state"], row["returned"]


async def test_the_question_names_each_conversation_and_who_could_take_it(desk: Desk) -> None:
    an, (jef, lien) = await busy(desk, "Jef", "Lien")
    await desk.agent("bram", "Loket", ready=True)
    await desk.agent("chloe", "Loket")
    assert (await an.sign_out()).status_code == 409
    dialog = an.screen.text("#ask-body")
    assert "Jef" in dialog
    assert "Lien" in dialog
    for talk in (jef, lien):
        choices = an.screen.texts(f"#to-{talk.chat} option")
        assert choices[0] == "Terug naar de wachtrij"
        assert "Bram" in choices
        assert "Algemeen" in choices
        assert not any(name.startswith(("Chloé", "An")) for name in choices), "paused, or oneself"
    assert an.screen.has("[data-for-all]")
    assert (await an.get("/console")).text.count("thread-") > 1, "nothing has happened yet"


async def test_with_one_conversation_there_is_no_choice_for_all(desk: Desk) -> None:
    an, _talks = await busy(desk, "Jef")
    await an.sign_out()
    assert not an.screen.has("[data-for-all]")


async def test_each_conversation_goes_where_it_was_sent(desk: Desk) -> None:
    an, (jef, lien, fatima) = await busy(desk, "Jef", "Lien", "Fatima")
    bram = await desk.agent("bram", "Loket", ready=True)
    await desk.agent("eva", "Loket", ready=True)
    to = {jef.chat: f"agent-{await id_of('bram')}", lien.chat: f"queue-{await queue_id('Algemeen')}"}
    answer = await sign_out(an, to)
    assert answer.headers["HX-Redirect"] == "/console"
    assert "Aanmelden" in (await an.get("/console")).text
    assert await state(fatima.chat) == ("waiting", True)
    await bram.open()
    assert "An verbindt dit gesprek naar u door" in bram.screen.text(".request-card")
    assert await taken(bram) == jef.chat
    assert await present(int(jef.chat)) == {await id_of("bram")}
    row = await tables.Invite.select().where(tables.Invite.chat == int(lien.chat)).first()
    assert row
    assert row["queue"] == await queue_id("Algemeen")


async def test_who_cannot_take_it_is_said_and_nobody_is_signed_out(desk: Desk) -> None:
    an, (jef, lien) = await busy(desk, "Jef", "Lien")
    bram = await desk.agent("bram", "Loket", ready=True)
    await bram.pause()
    await desk.agent("eva", "Loket", ready=True)
    target = f"agent-{await id_of('bram')}"
    answer = await sign_out(an, {jef.chat: target, lien.chat: f"queue-{await queue_id('Algemeen')}"})
    assert answer.status_code == 422
    assert "Bram neemt op dit moment geen chats aan" in an.screen.text(f"#to-{jef.chat}-error")
    assert not an.screen.has(f"#to-{lien.chat}"), "that one has gone already"
    assert await present(int(jef.chat)) == {await id_of("an")}
    assert (await an.get("/console")).status_code == 200


async def test_one_with_a_colleague_or_an_invitation_goes_on_by_itself(desk: Desk) -> None:
    an, (jef,) = await busy(desk, "Jef")
    bram = await desk.agent("bram", "Loket", ready=True)
    target = {"to": f"agent-{await id_of('bram')}", "how": "stay"}
    await an.must("POST", f"/chats/{jef.chat}/invite", target)
    await an.sign_out()
    assert "Bram is uitgenodigd" in an.screen.text("#ask-body")
    await taken(bram)
    await an.sign_out()
    assert "Bram blijft" in an.screen.text("#ask-body")
    assert not an.screen.has("#ask-body select")
    await an.sign_out(anyway="true")
    assert await present(int(jef.chat)) == {await id_of("bram")}
    assert await state(jef.chat) == ("active", False)


async def test_nonsense_is_back_to_the_queue_and_the_chats_of_others_stay(
    desk: Desk,
) -> None:
    an, (jef,) = await busy(desk, "Jef")
    await desk.agent("bram", "Loket", ready=True)
    eva = await desk.agent("eva", "Loket", ready=True)
    target = f"agent-{await id_of('bram')}"
    assert (await sign_out(eva, {jef.chat: target})).is_success
    assert await present(int(jef.chat)) == {await id_of("an")}
    assert (await sign_out(an, {jef.chat: "agent-x"})).is_success
    assert await state(jef.chat) == ("waiting", True)
