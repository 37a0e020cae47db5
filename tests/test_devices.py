"""A verified visitor finds the running chat again on another device; nobody else does."""

from typing import Any

import pytest

import db
from db.tables import Chat, Device, Identity, Visitor
from features import forgetting
from tests.conftest import Clock, Desk
from tests.people import AgentClient
from tests.people import Visitor as Window
from tests.scenes import taken
from tests.streams import SOON_S
from tests.test_identity import Pressed, at_desk, claims, press, signed, with_key

pytestmark = pytest.mark.either

ASKED = "Mijn kaart is weg"


async def talking(desk: Desk) -> tuple[AgentClient, Window, str]:
    """Lien, verified, talks with An."""
    an = await at_desk(desk)
    lien = (await press(desk, signed())).visitor
    await lien.start(ASKED)
    return an, lien, await taken(an)


def state(of: Window | Pressed) -> str:
    screen = (of.visitor if isinstance(of, Pressed) else of).screen
    return str(screen.first("#state").attributes["data-state"])


async def test_on_another_device_the_running_chat_opens_instead_of_a_new_one(desk: Desk) -> None:
    an, _lien, chat = await talking(desk)
    second = await press(desk, signed())
    assert (second.code, state(second)) == ("", "active")
    assert ASKED in second.visitor.screen.text("#thread")
    assert not second.visitor.screen.has("#form")
    assert await Chat.count() == 1
    assert await Visitor.count() == 1
    await an.open()
    assert an.chats == [chat], "for the agent it is the same conversation"


async def test_both_devices_are_live_and_each_can_say_something(desk: Desk) -> None:
    an, lien, chat = await talking(desk)
    await lien.open()
    there = (await press(desk, signed())).visitor
    async with lien.stream() as first, there.stream() as second:
        await an.say(chat, "Wanneer was dat?")
        await first.wait_for("Wanneer was dat?", SOON_S)
        await second.wait_for("Wanneer was dat?", SOON_S)
        await there.say("Gisteren")
        await first.wait_for("Gisteren", SOON_S)
        await lien.say("Of eergisteren")
        await second.wait_for("Of eergisteren", SOON_S)
    await an.open()
    said = an.screen.text(f"#thread-{chat}")
    assert "Gisteren" in said
    assert "Of eergisteren" in said


async def test_the_second_device_has_a_token_of_its_own_and_survives_a_reload(desk: Desk) -> None:
    _an, lien, _chat = await talking(desk)
    there = (await press(desk, signed())).visitor
    assert there.token != lien.token
    row = await Device.select(Device.token_hash).first()
    assert row
    assert there.token not in row["token_hash"]
    again = desk.visitor(there.token)
    await again.open()
    assert state(again) == "active"
    third = await press(desk, signed())
    assert state(third) == "active"
    assert await Device.count() == 2


async def test_one_that_still_waits_is_found_too(desk: Desk) -> None:
    await at_desk(desk)
    lien = (await press(desk, signed())).visitor
    await lien.start(ASKED)
    second = await press(desk, signed())
    assert state(second) == "waiting"
    assert ASKED in second.visitor.screen.text("#thread")


async def test_it_is_found_while_the_button_is_blue(desk: Desk) -> None:
    an, _lien, _chat = await talking(desk)
    await an.pause()
    assert state(await press(desk, signed())) == "active"
    stranger = await press(desk, signed(claims(sub="burger-9")))
    assert state(stranger) == "none"


async def test_without_a_form_it_is_the_same(desk: Desk) -> None:
    await with_key(widget="direct")
    an = await desk.agent("an", "Loket", ready=True)
    await press(desk, signed(claims(iss="direct")), desk.visitor(widget="direct"))
    await taken(an)
    second = await press(desk, signed(claims(iss="direct")), desk.visitor(widget="direct"))
    assert state(second) == "active"
    assert await Chat.count() == 1


async def test_whoever_ends_it_ends_it_for_both(desk: Desk) -> None:
    _an, lien, _chat = await talking(desk)
    there = (await press(desk, signed())).visitor
    await there.end()
    await lien.open()
    assert (state(lien), state(there)) == ("ended", "ended")


# ---- nobody else -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"sub": "burger-9"},
        {"sub": "Burger-1207"},
        {"sub": "burger-1207 "},
        {"iss": "direct"},
        {"aud": "https://elders.be"},
        {"exp": 1},
        {"sub": None},
        {"jti": None},
    ],
    ids=str,
)
async def test_another_person_or_a_token_that_is_not_believed_finds_nothing(
    desk: Desk, other: dict[str, Any]
) -> None:
    await talking(desk)
    await found_nothing(desk, signed(claims(**other)))


async def found_nothing(desk: Desk, token: str, visitor: Window | None = None) -> Pressed:
    second = await press(desk, token, visitor)
    assert state(second) in ("forming", "none")
    assert ASKED not in second.visitor.screen.text()
    answer = await second.visitor.get("/chat/transcript.txt")
    assert answer.status_code == 404
    assert await Device.count() == 0
    return second


async def test_a_token_that_is_forged_or_not_there_finds_nothing(desk: Desk) -> None:
    await talking(desk)
    token = signed()
    await found_nothing(desk, signed(key="x" * 40))
    await found_nothing(desk, token.rpartition(".")[0] + ".")
    await found_nothing(desk, "")
    assert ASKED not in (await desk.visitor().open()).text()


async def test_a_token_that_was_shown_before_lets_nobody_in(desk: Desk) -> None:
    """Not the one that the first device has shown, and not that of the second."""
    an = await at_desk(desk)
    first, second = signed(), signed()
    lien = (await press(desk, first)).visitor
    await lien.start(ASKED)
    await taken(an)
    replayed = await found_nothing(desk, first)
    assert replayed.code == "used"
    assert state(await press(desk, second)) == "active"
    thief = await press(desk, second)
    assert (thief.code, state(thief)) == ("used", "forming")
    assert await Device.count() == 1


async def test_a_press_that_is_sent_twice_is_one(desk: Desk) -> None:
    await talking(desk)
    token, window = signed(), desk.visitor()
    assert state(await press(desk, token, window)) == "active"
    again = await press(desk, token, window)
    assert (again.code, state(again)) == ("", "active")
    assert (await Device.count(), await Visitor.count()) == (1, 1)


async def test_a_key_of_another_widget_opens_no_chat_of_this_one(desk: Desk) -> None:
    """The same sub at another widget is somebody else: each site has its own."""
    await talking(desk)
    await with_key(kid="elders", widget="direct")
    token = signed(claims(iss="direct"), kid="elders")
    await press(desk, token, desk.visitor(widget="direct"))
    assert await Device.count() == 0
    assert await Chat.count() == 2
    await found_nothing(desk, signed(kid="elders"))


async def test_a_window_with_a_chat_of_its_own_stays_in_it(desk: Desk) -> None:
    await talking(desk)
    jef = await desk.visitor().begin("Een andere vraag", name="Jef")
    await press(desk, signed(), jef)
    assert "Een andere vraag" in jef.screen.text("#thread")
    assert ASKED not in jef.screen.text()
    assert await Device.count() == 0


async def test_who_was_never_verified_cannot_be_found(desk: Desk) -> None:
    await at_desk(desk)
    await desk.visitor().begin(ASKED, name="Lien Janssens", email="lien@voorbeeld.be")
    await found_nothing(desk, signed())


async def test_what_has_ended_is_not_opened_again_and_the_token_ends_with_it(
    desk: Desk, clock: Clock
) -> None:
    an, lien, _chat = await talking(desk)
    there = (await press(desk, signed())).visitor
    await lien.end()
    third = await press(desk, signed())
    assert (third.code, state(third)) == ("", "forming")
    assert ASKED not in third.visitor.screen.text()
    await there.press()
    await there.start("Nog iets")
    assert state(there) == "ended", "it begins nothing: the page takes a new token for that"
    assert await Chat.count().where(Chat.started_at.is_not_null()) == 1
    clock.shift(180)
    await there.open()
    assert state(there) == "none", "as on the first device"
    await an.ready()
    await lien.begin("Een tweede vraag")
    assert await Chat.count().where(Chat.visitor == 1) == 2
    await there.open()
    assert "Een tweede vraag" not in there.screen.text()
    assert (await there.get("/chat/transcript.txt")).status_code == 404


async def test_its_token_goes_with_the_conversation(desk: Desk) -> None:
    _an, lien, chat = await talking(desk)
    await press(desk, signed())
    await lien.end()
    assert await Device.count() == 1
    async with db.transaction():
        await forgetting.erase([int(chat)])
    assert await Device.count() == 0
    assert await Identity.count() == 0
