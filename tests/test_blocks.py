"""Blocks: who behaves badly is kept out for a time, nobody else is, and nobody outside the desk reads why."""

from typing import Any

import pytest

from db.tables import Audit, Block, Chat, Rating, Start
from features import forgetting, retention
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient, Visitor, new_key
from tests.test_identity import claims, press, signed, with_key
from tests.test_retention import keep

WHY = "kanarie: bleef schelden na twee waarschuwingen"
DAY_S = 86_400
CARD = "02 123 45 67"


async def shut_out(talk: scenes.Talk, why: str = WHY) -> None:
    await talk.an.must("POST", f"/chats/{talk.chat}/block", {"reason": why})


async def page_of(desk: Desk) -> AgentClient:
    eva = await desk.agent("eva")
    eva.screen.show((await eva.must("GET", "/settings/blocks")).text)
    return eva


async def chats_of(state: str = "") -> int:
    query = Chat.count()
    return int(await (query.where(Chat.state == state) if state else query))


async def test_the_chat_ends_and_its_visitor_sees_the_way_on_but_not_why(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await shut_out(talk)
        await talk.window.wait_for('data-state="ended"')
        after = talk.jef.screen.text("#after")
        assert "Gesprek beëindigd door An" in after
        assert "kunt u niet met ons chatten" in after
        assert CARD in after
        assert not talk.jef.screen.has("#after [data-act=again]")
        assert not talk.jef.screen.has("#rating")
        await talk.console.wait_for("Beëindigd wegens gedrag door An")
        received = "".join(event.data for event in talk.window.events)
        assert "kanarie" not in received
        assert "gedrag" not in received
    rows = await Block.select(Block.reason, Block.agent.username.as_alias("by"))
    assert rows == [{"reason": WHY, "by": "an"}]
    assert await Audit.exists().where(Audit.what == "blocked").where(Audit.about == f"chat:{talk.chat}")
    assert not [row for row in await Audit.select() if "kanarie" in str(row)]


async def test_whoever_is_kept_out_can_do_nothing_and_sees_the_card(desk: Desk, clock: Clock) -> None:
    talk = await scenes.connected(desk)
    await shut_out(talk)
    jef = talk.jef
    count = await chats_of()
    clock.shift(300)  # the end is no longer shown
    await jef.open()
    assert scenes.state(jef) == "blocked"
    assert CARD in jef.screen.text("#panel")
    assert scenes.QUESTION not in jef.screen.text()
    asks: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/chat/hold", {}),
        ("PATCH", "/chat/hold", {"subject": "1"}),
        ("POST", "/chat", {"name": "Jef", "subject": "1", "question": "Nog eens", "key": new_key()}),
    ]
    for method, path, form in asks:
        answer = await jef.send(method, path, form)
        assert answer.status_code == 403, path
        assert CARD in jef.screen.text("#panel")
        assert "kanarie" not in answer.text
    message = {"key": new_key(), "body": "Nog dit"}
    assert (await jef.post("/chat/messages", message)).status_code == 409
    file = await jef.client.post(
        "/chat/files", content=b"abc", headers={"X-Name": "a.txt", "X-Key": new_key()}
    )
    assert file.status_code >= 400
    assert (await jef.post("/chat/rating", {"value": "1", "remark": "boe"})).status_code == 404
    assert (await chats_of(), await Rating.count(), await Start.count()) == (count, 0, 1)


async def test_another_visitor_is_not_touched(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    marie = await desk.visitor().begin("Is het zwembad open?", name="Jef Peeters")
    await shut_out(talk)
    await marie.open()
    assert scenes.state(marie) == "waiting"
    lien = await desk.visitor().begin("En ik?")
    assert scenes.state(lien) == "waiting", "from the same address, with the same name"


async def test_it_is_over_by_itself_after_the_days_that_the_desk_says(desk: Desk, clock: Clock) -> None:
    admin = await scenes.sign_in_admin(desk)
    form = {"name": "Gemeente Voorbeeld", "time_zone": "Europe/Brussels", "language": "nl", "version": "1"}
    await admin.must("PUT", "/settings/desk", form | {"block_days": "2"})
    talk = await scenes.connected(desk)
    await talk.an.must("GET", f"/chats/{talk.chat}/block")
    assert "2 dagen" in talk.an.screen.text("#ask-body")
    await shut_out(talk)
    clock.shift(2 * DAY_S - 60)
    await talk.jef.open()
    assert scenes.state(talk.jef) == "blocked"
    clock.shift(120)
    await talk.jef.open()
    assert scenes.state(talk.jef) == "none"
    eva = await page_of(desk)
    assert "Niemand wordt geweerd" in eva.screen.text("#blocks")


@pytest.mark.parametrize("days", ["0", "366", "zeven", ""])
async def test_a_number_of_days_that_is_none_is_refused_in_words(desk: Desk, days: str) -> None:
    admin = await scenes.sign_in_admin(desk)
    form = {"name": "Gemeente", "time_zone": "Europe/Brussels", "language": "nl", "version": "1"}
    answer = await admin.send("PUT", "/settings/desk", form | {"block_days": days})
    assert answer.status_code == 422
    assert "Geef een aantal dagen van 1 tot 365." in answer.text


async def test_a_supervisor_sees_who_and_lets_them_in_again(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await shut_out(talk)
    eva = await page_of(desk)
    (row,) = eva.screen.texts("#blocks tbody tr")
    for words in ("Jef Peeters", WHY, "An"):
        assert words in row
    block = await Block.select(Block.id).first()
    assert block
    await eva.must("DELETE", f"/settings/blocks/{block['id']}")
    assert "Niemand wordt geweerd" in eva.screen.text("#blocks")
    assert (await eva.send("DELETE", f"/settings/blocks/{block['id']}")).status_code == 404
    assert await Audit.count().where(Audit.what == "lifted") == 1
    await talk.jef.press()
    assert scenes.state(talk.jef) == "forming"


async def test_the_same_verified_person_is_kept_out_with_another_token(desk: Desk) -> None:
    await with_key()
    an = await desk.agent("an", "Loket", ready=True)
    elsewhere = (await press(desk, signed())).visitor  # on another device, a form half filled in
    lien = (await press(desk, signed())).visitor
    await lien.start("Een vraag", name="", email="")
    chat = await scenes.taken(an)
    assert scenes.state(elsewhere) == "forming"
    await an.must("POST", f"/chats/{chat}/block", {"reason": WHY})
    await elsewhere.open()
    assert scenes.state(elsewhere) == "blocked", "its held place is gone too"
    fresh = desk.visitor()
    await fresh.open()
    answer = await fresh.post("/chat/hold", {"page": "https://x.be/", "identity": signed()})
    assert answer.status_code == 403
    assert CARD in fresh.screen.text("#panel")
    other = await press(desk, signed(claims(sub="burger-9", name="Ander", email="a@b.be")))
    assert scenes.state(other.visitor) == "forming", "somebody else of that site"
    await who_is_kept_out_does_not_become_somebody_else(lien)


async def who_is_kept_out_does_not_become_somebody_else(lien: Visitor) -> None:
    token = signed(claims(sub="burger-8", name="Nieuw", email="n@b.be"))
    answer = await lien.post("/chat/hold", {"page": "https://x.be/", "identity": token})
    assert answer.status_code == 403


async def test_a_reason_is_asked_and_what_was_typed_stays(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for why in ("  ", "x" * 301):
        answer = await talk.an.post(f"/chats/{talk.chat}/block", {"reason": why})
        assert answer.status_code == 422
        assert 'id="block-reason-error"' in answer.text
        assert why.strip() in answer.text
    assert not await Block.exists()
    assert await chats_of("active") == 1


async def test_who_left_a_moment_before_is_kept_out_too_and_once(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.end()
    await shut_out(talk)
    await shut_out(talk)
    assert await Block.count() == 1
    await talk.jef.open()
    assert CARD in talk.jef.screen.text("#after")
    row = await Chat.select(Chat.ended_how).first()
    assert row == {"ended_how": "by_visitor"}


async def test_only_an_agent_of_that_chat_can(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    bram = await desk.agent("bram", "Loket")
    for method in ("GET", "POST"):
        answer = await bram.send(method, f"/chats/{talk.chat}/block", {"reason": WHY})
        assert answer.status_code == 404
    assert (await bram.get("/settings/blocks")).status_code == 403
    assert not await Block.exists()


async def test_the_log_says_how_it_ended_and_the_transcript_does_not(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await shut_out(talk)
    eva = await desk.agent("eva")
    page = (await eva.must("GET", f"/settings/log/{talk.chat}")).text
    assert "Wegens gedrag" in page
    transcript = (await talk.jef.must("GET", "/chat/transcript.txt")).text
    assert "Gesprek beëindigd door An" in transcript
    assert "gedrag" not in transcript


async def test_a_purge_waits_until_the_block_is_over(desk: Desk, clock: Clock) -> None:
    admin = await scenes.sign_in_admin(desk)
    form = {"name": "Gemeente Voorbeeld", "time_zone": "Europe/Brussels", "language": "nl", "version": "1"}
    await admin.must("PUT", "/settings/desk", form | {"block_days": "60"})
    talk = await scenes.connected(desk)
    await shut_out(talk)
    await keep(desk)
    clock.shift(31 * DAY_S)
    assert (await retention.purge()).conversations == 0
    clock.shift(30 * DAY_S)
    assert (await retention.purge()).conversations == 1
    assert not await Block.exists()
    assert (Block, Block.chat) in forgetting.referring_to(Chat)


async def test_who_asks_to_be_forgotten_is_no_longer_kept_out(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await shut_out(talk)
    admin = await scenes.sign_in_admin(desk)
    await admin.must("POST", "/settings/privacy/erasures", {"chat": talk.chat})
    assert not await Block.exists()
