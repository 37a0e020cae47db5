"""A chat, end to end, through HTTP: the press, the request, the talk, the end."""

from tests.conftest import Desk


async def test_a_citizen_asks_an_official_answers_and_both_see_the_end(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    async with an.stream() as console:
        jef = await desk.visitor().begin("Mag ik vandaag parkeren?")
        async with jef.stream() as window:
            await console.wait_for(lambda: an.request)
            assert "Mag ik vandaag parkeren?" in an.screen.text("#panels")

            await an.accept()
            await window.wait_for(lambda: jef.screen.text("#status") == "Verbonden met An")
            await console.wait_for(lambda: an.chats)
            (chat,) = an.chats

            await an.say(chat, "Dag Jef, in welke straat?")
            await window.wait_for("Dag Jef, in welke straat?")
            await jef.say("Kerkstraat\u2028Voorbeeld ĳ 🚗 עברית")
            await console.wait_for("Kerkstraat\u2028Voorbeeld ĳ 🚗 עברית")

            await jef.end()
            await console.wait_for(
                lambda: "De bezoeker heeft het gesprek beëindigd" in an.screen.text("#panels")
            )
    said = jef.screen.texts("#thread .bubble")
    assert said == [
        "Mag ik vandaag parkeren?",
        "Dag Jef, in welke straat?",
        "Kerkstraat Voorbeeld ĳ 🚗 עברית",
    ]
    assert an.screen.texts(f"#thread-{chat} .bubble") == said


async def test_with_nobody_at_the_desk_nothing_starts(desk: Desk) -> None:
    jef = desk.visitor()
    await jef.open()
    answer = await jef.post("/chat/hold", {"page": ""})
    assert answer.status_code in (200, 409)
    assert not jef.screen.has("#thread .bubble")
