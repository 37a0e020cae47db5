"""Presets: the list on pressing, for this chat's queue and language, with the placeholders filled."""

import pytest

from db.tables import Preset, Profile, Queue
from features.presets import filled
from tests.conftest import Desk
from tests.people import AgentClient
from tests.scenes import connected, taken

WORDS = {"visitor": "Jef", "agent": "An", "queue": "Algemeen"}


async def listed(agent: AgentClient, chat: str) -> list[str]:
    await agent.must("GET", f"/chats/{chat}/presets")
    return agent.screen.texts(f"#tool-{chat} .option-title")


async def test_the_list_is_that_of_the_chats_queue_its_language_first(desk: Desk) -> None:
    talk = await connected(desk)
    titles = await listed(talk.an, talk.chat)
    assert titles.index("Begroeting") < titles.index("Accueil")
    assert "Openingsuren" in titles
    assert "Stand van het dossier" not in titles, "is of another queue"


async def test_a_french_chat_gets_the_french_ones_first(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    await desk.visitor(language="fr").begin("Bonjour")
    titles = await listed(an, await taken(an))
    assert titles.index("Accueil") < titles.index("Begroeting")


async def test_a_preset_of_a_profile_is_there_for_that_profile_alone(desk: Desk) -> None:
    mine = await Profile.select(Profile.id).where(Profile.name == "Loket").first()
    other = await Profile.select(Profile.id).where(Profile.name == "Vergunningen").first()
    assert mine
    assert other
    await Preset.insert(
        Preset(title="Van het loket", body="x", profile=mine["id"]),
        Preset(title="Van vergunningen", body="x", profile=other["id"]),
    )
    talk = await connected(desk)
    titles = await listed(talk.an, talk.chat)
    assert "Van het loket" in titles
    assert "Van vergunningen" not in titles


async def test_what_goes_into_the_text_bar_has_its_placeholders_filled(desk: Desk) -> None:
    talk = await connected(desk)
    await listed(talk.an, talk.chat)
    texts = [node.attributes["data-text"] for node in talk.an.screen.css(".option")]
    assert "Goeiedag Jef Peeters, u spreekt met An. Waarmee kan ik u helpen?" in texts


async def test_choosing_sends_nothing(desk: Desk) -> None:
    talk = await connected(desk)
    await listed(talk.an, talk.chat)
    await talk.jef.open()
    assert talk.jef.screen.texts("#thread .bubble") == ["Mag ik vandaag parkeren?"]


async def test_a_colleague_who_is_not_in_the_chat_gets_no_list(desk: Desk) -> None:
    talk = await connected(desk)
    bram = await desk.agent("bram", "Loket")
    assert (await bram.get(f"/chats/{talk.chat}/presets")).status_code == 404


async def test_an_empty_list_says_who_can_fill_it(desk: Desk) -> None:
    talk = await connected(desk)
    await Preset.delete(force=True)
    await talk.an.must("GET", f"/chats/{talk.chat}/presets")
    assert talk.an.screen.has(f"#tool-{talk.chat} .empty")


async def test_hostile_words_stay_words(desk: Desk) -> None:
    queue = await Queue.select(Queue.id).first()
    assert queue
    await Preset.insert(Preset(title="<script>x</script>", body='" onclick="x', shortcut="<b>"))
    talk = await connected(desk)
    answer = await talk.an.must("GET", f"/chats/{talk.chat}/presets")
    assert "<script>x" not in answer.text
    assert any(node.attributes["data-text"] == '" onclick="x' for node in talk.an.screen.css(".option"))


@pytest.mark.parametrize(
    ("body", "words", "text"),
    [
        ("Dag {visitor}, ik ben {agent}.", WORDS, "Dag Jef, ik ben An."),
        ("Dag {visitor}, ik ben {agent}.", {**WORDS, "visitor": ""}, "Dag, ik ben An."),
        ("{visitor}, een ogenblik.", {**WORDS, "visitor": ""}, "Een ogenblik."),
        ("Bonne journée, {visitor} !", {**WORDS, "visitor": ""}, "Bonne journée !"),
        ("Dank u, {visitor}!", {**WORDS, "visitor": ""}, "Dank u!"),
        ("Uw {onbekend} is klaar", WORDS, "Uw {onbekend} is klaar"),
        ("geen plaats", WORDS, "geen plaats"),
    ],
)
def test_an_empty_placeholder_leaves_a_correct_sentence(body: str, words: dict[str, str], text: str) -> None:
    assert filled(body, words) == text
