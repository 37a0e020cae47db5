"""Emergency: the numbers to call, who is told, and what then no longer happens by itself."""

import pytest

from db.tables import Audit, Chat, Emergency, LegalHold
from features import retention
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient
from tests.test_idle import passes
from tests.test_retention import DAY_S, keep

WORDS = "Noodgeval"


async def raised(talk: scenes.Talk, shown: str = "") -> None:
    await talk.an.must("POST", f"/chats/{talk.chat}/emergency", {"shown": shown})


async def own_numbers(desk: Desk, lines: str) -> AgentClient:
    admin = await scenes.sign_in_admin(desk)
    form = {"name": "Gemeente Voorbeeld", "time_zone": "Europe/Brussels", "language": "nl", "version": "1"}
    await admin.must("PUT", "/settings/desk", form | {"emergency_numbers": lines})
    return admin


async def test_the_agent_sees_the_numbers_and_supervisors_are_told_at_once(desk: Desk) -> None:
    await own_numbers(desk, "02 555 00 11  Wachtdienst\n")
    eva = await desk.agent("eva", "Loket")
    bram = await desk.agent("bram", "Loket")
    async with scenes.live(desk) as talk, eva.stream() as above, bram.stream() as beside:
        await above.wait_for('id="panels"')
        await beside.wait_for('id="panels"')
        await raised(talk)
        await talk.console.wait_for("Wachtdienst")
        pinned = talk.an.screen.text(f"#emergency-{talk.chat}")
        assert pinned.index("112") < pinned.index("02 555 00 11")
        await above.wait_for("Meelezen")
        assert "Jef Peeters" in eva.screen.text("#alarms")
        assert eva.screen.first("#alarms a").attributes["href"] == f"/settings/running/{talk.chat}"
        eva.screen.show((await eva.must("GET", "/settings/running")).text)
        assert WORDS in eva.screen.text("#running")
        await talk.jef.say("Help")
        assert WORDS not in bram.screen.text("#alarms")
        await talk.an.must("DELETE", f"/chats/{talk.chat}/emergency")
        await talk.console.wait_for(lambda: not talk.an.screen.text(f"#emergency-{talk.chat}"))
    assert [row["what"] for row in await Audit.select(Audit.what).order_by(Audit.id)][-4:] == [
        "held",
        "raised",
        "released",
        "took_back",
    ]


async def test_the_visitor_sees_the_numbers_only_if_the_agent_says_so(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await raised(talk)
        await talk.an.say(talk.chat, "Bent u veilig?")
        await talk.window.wait_for("Bent u veilig?")
        await talk.jef.open()
        assert talk.jef.screen.text("#emergency") == ""
        assert WORDS not in (talk.jef.screen.tree.html or "")
        await talk.an.must("DELETE", f"/chats/{talk.chat}/emergency")
        await raised(talk, shown="yes")
        await talk.window.wait_for("Bel nu:")
        assert "112" in talk.jef.screen.text("#emergency")
        await talk.an.must("DELETE", f"/chats/{talk.chat}/emergency")
        await talk.jef.open()
        assert talk.jef.screen.text("#emergency") == ""


async def test_silence_ends_nothing_until_it_is_taken_back(desk: Desk, clock: Clock) -> None:
    talk = await scenes.connected(desk)
    await talk.an.say(talk.chat, "Waar bent u?")
    await passes(clock, 10.1)
    await talk.jef.open()
    assert "Bent u er nog?" in talk.jef.screen.text("#idle"), "the premise: it had begun"
    await raised(talk)
    await talk.jef.open()
    assert talk.jef.screen.text("#idle") == ""
    await passes(clock, 60)
    await passes(clock, 60)
    assert await Chat.exists().where(Chat.state == "active")
    await talk.an.must("DELETE", f"/chats/{talk.chat}/emergency")
    await passes(clock, 9)
    assert not await Chat.exists().where(Chat.idle_asked_at.is_not_null()), "it counts from then"
    await passes(clock, 1.1)
    assert await Chat.exists().where(Chat.idle_asked_at.is_not_null())


async def test_it_is_not_purged_and_stands_among_what_is_on_hold(desk: Desk, clock: Clock) -> None:
    talk = await scenes.connected(desk)
    await raised(talk)
    await raised(talk)
    assert await Emergency.count() == 1
    await talk.jef.end()
    await keep(desk)
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.must("GET", "/settings/privacy/holds")).text)
    assert WORDS in admin.screen.text("#holds")
    clock.shift(31 * DAY_S)
    assert (await retention.purge()).conversations == 0
    admin = await scenes.sign_in_admin(desk)
    await admin.must("DELETE", f"/settings/privacy/holds/{talk.chat}")
    assert (await retention.purge()).conversations == 1
    assert not await Emergency.exists()


async def test_a_hold_that_was_there_before_stays(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    admin = await scenes.sign_in_admin(desk)
    await admin.must("PUT", f"/settings/privacy/holds/{talk.chat}", {"reason": "klacht 12"})
    await raised(talk)
    await talk.an.must("DELETE", f"/chats/{talk.chat}/emergency")
    assert await LegalHold.select(LegalHold.reason) == [{"reason": "klacht 12"}]


async def test_only_an_agent_of_that_chat_raises_it_and_only_while_it_runs(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    bram = await desk.agent("bram", "Loket")
    for method in ("GET", "POST", "DELETE"):
        assert (await bram.send(method, f"/chats/{talk.chat}/emergency", {})).status_code == 404
    await talk.jef.end()
    assert (await talk.an.post(f"/chats/{talk.chat}/emergency", {})).status_code == 404
    assert not await Emergency.exists()


async def test_whoever_takes_the_chat_over_sees_it_too(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await raised(talk)
    bram = await scenes.joined_by(desk, talk, "bram")
    assert "112" in bram.screen.text(f"#emergency-{talk.chat}")


@pytest.mark.parametrize("lines", ["Wachtdienst", "1\n2\n3\n4\n5\n6\n7", "02 555 " + "x" * 60])
async def test_numbers_that_are_none_are_refused_and_kept(desk: Desk, lines: str) -> None:
    admin = await scenes.sign_in_admin(desk)
    form = {"name": "Gemeente", "time_zone": "Europe/Brussels", "language": "nl", "version": "1"}
    answer = await admin.send("PUT", "/settings/desk", form | {"emergency_numbers": lines})
    assert answer.status_code == 422
    assert "Op elke regel staat eerst een telefoonnummer" in answer.text
    assert lines.splitlines()[0] in answer.text
