"""Offers: what an agent puts before a visitor, what can be chosen from it, and what is refused."""

import json
from typing import Any

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from db.tables import Chat, Message, Offer, SavedOffer
from features import live
from features.messages import MessageChanged
from tests import scenes
from tests.conftest import Desk
from tests.people import AgentClient, Visitor, new_key
from tests.scenes import Talk, connected, taken

TITLE = "Wat wilt u met uw kaart doen?"
OPTIONS = ["Verlengen", "Stopzetten", "Iets anders"]
THREAD = "#thread [id^=m-]"

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "template": "{{ 7 * 7 }}{% raw %}",
    "right-to-left": "\u202eשלום עולם\u202c \u2067مرحبا",
    "long word": "Rindvleesetiketterings" * 4,
    "astral": "🚗" * 60,
    "separators": "a\u2028b",
    "null": "nul\x00byte",
}


async def offer(agent: AgentClient, chat: str, **changes: Any) -> httpx.Response:
    form = {"key": new_key(), "title": TITLE, "option": OPTIONS, "choose": "one", **changes}
    return await agent.post(f"/chats/{chat}/offers", form)


async def offered(talk: Talk, **changes: Any) -> int:
    """Sent, and on the visitor's screen after it is opened again. Its id."""
    answer = await offer(talk.an, talk.chat, **changes)
    assert answer.status_code == 200, answer.text
    await talk.jef.open()
    row = await Offer.select(Offer.id).order_by(Offer.id, ascending=False).first()
    assert row
    return int(row["id"])


async def choose(visitor: Visitor, offer: int, *options: int | str) -> httpx.Response:
    return await visitor.post(f"/chat/offers/{offer}/choice", {"option": [str(each) for each in options]})


async def kinds(chat: str) -> list[str]:
    rows = await Message.select(Message.kind).where(Message.chat == int(chat)).order_by(Message.seq)
    return [row["kind"] for row in rows]


async def unanswered(chat: str) -> object:
    row = await Chat.select(Chat.unanswered_since_at).where(Chat.id == int(chat)).first()
    assert row
    return row["unanswered_since_at"]


def buttons(visitor: Visitor) -> list[str]:
    return visitor.screen.texts(f"{THREAD} button[name=option]")


# ---- from one side to the other --------------------------------------------------------------------------


async def test_the_visitor_gets_buttons_and_the_agent_the_choice(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        answer = await offer(talk.an, talk.chat)
        assert json.loads(answer.headers["HX-Trigger"]) == {"tool:done": {"chat": int(talk.chat)}}
        assert TITLE in talk.an.screen.text(f"#thread-{talk.chat}"), "at once, without the stream"
        assert "De bezoeker heeft nog niet gekozen." in talk.an.screen.text(f"#thread-{talk.chat}")
        await talk.window.wait_for(lambda: buttons(talk.jef) == OPTIONS)
        assert TITLE in talk.jef.screen.text("#thread")

        form = talk.jef.screen.first(f"{THREAD} form")
        answer = await talk.jef.post(str(form.attributes["hx-post"]), {"option": "1"})
        assert answer.status_code == 200
        assert buttons(talk.jef) == [], "fixed at once, without the stream"
        assert last(talk.jef, "#thread") == f"{TITLE} Stopzetten"
        await talk.console.wait_for(lambda: last(talk.an, f"#thread-{talk.chat}") == f"{TITLE} Stopzetten")
        for screen, thread in ((talk.jef.screen, "#thread"), (talk.an.screen, f"#thread-{talk.chat}")):
            chosen = screen.first(f"{thread} .from-agent .offer-list")
            assert [words(each) for each in chosen.css("li")] == [
                "Verlengen",
                "Stopzetten (gekozen)",
                "Iets anders",
            ]
            assert len(chosen.css(".icon")) == 1
        assert "nog niet gekozen" not in talk.an.screen.text(f"#thread-{talk.chat}")


def last(person: Visitor | AgentClient, thread: str) -> str:
    return person.screen.texts(f"{thread} [id^=m-] .bubble")[-1]


def words(node: Any) -> str:
    return " ".join(node.text(separator=" ").split())


async def test_several_may_be_chosen_where_the_agent_says_so(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await offer(talk.an, talk.chat, choose="several")
        await talk.window.wait_for(lambda: talk.jef.screen.css(f"{THREAD} [type=checkbox]"))
        assert buttons(talk.jef) == []
        assert talk.jef.screen.texts(f"{THREAD} [type=submit]") == ["Bevestigen"]
        answer = await choose(talk.jef, await newest(), 2, 0)
        assert answer.status_code == 200
        await talk.console.wait_for(
            lambda: last(talk.an, f"#thread-{talk.chat}") == f"{TITLE} Verlengen Iets anders"
        )
        assert len(talk.an.screen.css(f"#thread-{talk.chat} .from-agent .chosen")) == 2


async def newest() -> int:
    row = await Offer.select(Offer.id).order_by(Offer.id, ascending=False).first()
    assert row
    return int(row["id"])


async def test_in_two_tabs_the_other_becomes_fixed_by_itself(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        other = desk.visitor(token=talk.jef.token)
        await other.open()
        async with other.stream() as window:
            await offer(talk.an, talk.chat)
            await window.wait_for(lambda: buttons(other) == OPTIONS)
            await choose(talk.jef, await newest(), 0)
            await window.wait_for(lambda: buttons(other) == [])
            assert "Verlengen (gekozen)" in other.screen.text("#thread")


async def test_who_was_away_finds_it_fixed(desk: Desk) -> None:
    """The stream goes on where the page was, which already has the menu, still open."""
    talk = await connected(desk)
    id = await offered(talk)
    other = desk.visitor(token=talk.jef.token)
    await other.open()
    assert buttons(other) == OPTIONS
    seq = other.screen.css(THREAD)[-1].attributes["data-seq"]
    await choose(talk.jef, id, 2)
    async with other.stream(after=str(seq)) as window:
        await window.wait_for(lambda: buttons(other) == [])
    assert "Iets anders (gekozen)" in other.screen.text("#thread")


async def test_an_agent_who_comes_back_sees_what_was_chosen(desk: Desk) -> None:
    talk = await connected(desk)
    await choose(talk.jef, await offered(talk), 1)
    await talk.an.open()
    assert "Stopzetten (gekozen)" in talk.an.screen.text(f"#thread-{talk.chat}")


async def test_an_offer_is_an_answer_and_a_choice_waits_for_one(desk: Desk) -> None:
    talk = await connected(desk)
    assert await unanswered(talk.chat), "the first question waits"
    id = await offered(talk)
    assert await unanswered(talk.chat) is None
    await choose(talk.jef, id, 1)
    assert await unanswered(talk.chat)
    await talk.an.open()
    assert talk.an.screen.first(f"#tab-{talk.chat}").attributes["data-unread"] == "1", "the choice"


async def test_the_log_reads_without_pictures(desk: Desk) -> None:
    talk = await connected(desk)
    await choose(talk.jef, await offered(talk), 1)
    rows = await Message.select(Message.body).where(Message.kind.is_in(["offer", "choice"])).order_by("seq")
    assert [row["body"] for row in rows] == [
        f"{TITLE}\n• Verlengen\n• Stopzetten\n• Iets anders",
        f"{TITLE}\n✓ Stopzetten",
    ]


async def test_each_reads_it_in_their_own_language(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    fatima = await desk.visitor(language="fr").begin("Bonjour")
    chat = await taken(an)
    await offer(an, chat, choose="several")
    await fatima.open()
    assert fatima.screen.texts(f"{THREAD} [type=submit]") == ["Confirmer"]
    id = await newest()
    answer = await choose(fatima, id)
    assert "Choisissez d’abord une option." in answer.text
    await choose(fatima, id, 0)
    assert "Verlengen (choisi)" in fatima.screen.text("#thread")
    await an.open()
    assert "Verlengen (gekozen)" in an.screen.text(f"#thread-{chat}")


# ---- sent once -------------------------------------------------------------------------------------------


async def test_the_same_key_is_the_same_offer(desk: Desk) -> None:
    talk = await connected(desk)
    key = new_key()
    for _again in range(2):
        assert (await offer(talk.an, talk.chat, key=key)).status_code == 200
    assert (await kinds(talk.chat)).count("offer") == 1
    assert await Offer.count() == 1


async def test_the_key_of_another_message_makes_no_offer(desk: Desk) -> None:
    talk = await connected(desk)
    key = new_key()
    await talk.an.say(talk.chat, "Dag Jef", key)
    assert (await offer(talk.an, talk.chat, key=key)).status_code == 200
    assert await Offer.count() == 0


async def test_the_same_choice_again_is_the_same_choice(desk: Desk) -> None:
    talk = await connected(desk)
    id = await offered(talk)
    for _again in range(2):
        assert (await choose(talk.jef, id, 1)).status_code == 200
    assert (await kinds(talk.chat)).count("choice") == 1


# ---- refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("several", "options", "words"),
    [
        ("one", [], "Kies eerst een optie."),
        ("several", [], "Kies eerst een optie."),
        ("one", [0, 1], "Kies maar één optie."),
        ("one", [3], "Wat u koos, staat niet in dit keuzemenu."),
        ("one", [-1], "Wat u koos, staat niet in dit keuzemenu."),
        ("several", [0, 3], "Wat u koos, staat niet in dit keuzemenu."),
        ("one", ["١"], "Wat u koos, staat niet in dit keuzemenu."),
        ("one", ["Verlengen"], "Wat u koos, staat niet in dit keuzemenu."),
        ("one", ["9" * 400], "Wat u koos, staat niet in dit keuzemenu."),
    ],
)
async def test_what_cannot_be_chosen_is_refused(
    desk: Desk, several: str, options: list[int | str], words: str
) -> None:
    talk = await connected(desk)
    id = await offered(talk, choose=several)
    answer = await choose(talk.jef, id, *options)
    assert answer.status_code == 422
    assert talk.jef.screen.text(f"#offer-said-{id}") == words
    assert "choice" not in await kinds(talk.chat)
    assert (await choose(talk.jef, id, 0)).status_code == 200, "it can still be chosen from"


async def test_a_second_choice_is_refused_and_the_menu_is_fixed(desk: Desk) -> None:
    talk = await connected(desk)
    id = await offered(talk)
    other = desk.visitor(token=talk.jef.token)
    await other.open()
    await choose(talk.jef, id, 1)
    answer = await choose(other, id, 0)
    assert answer.status_code == 409
    assert "U hebt al gekozen uit dit keuzemenu." in other.screen.text("#refused")
    assert buttons(other) == []
    assert "Stopzetten (gekozen)" in other.screen.text("#thread")
    assert (await kinds(talk.chat)).count("choice") == 1


async def test_a_late_choice_is_refused(desk: Desk) -> None:
    talk = await connected(desk)
    id = await offered(talk)
    await talk.an.end(talk.chat)
    answer = await choose(talk.jef, id, 1)
    assert answer.status_code == 409
    assert "Dit gesprek is beëindigd. Uw keuze is niet verzonden." in talk.jef.screen.text("#refused")
    assert talk.jef.screen.first("#state").attributes["data-state"] == "ended"
    row = await Offer.select(Offer.chosen, Offer.chosen_at).first()
    assert row == {"chosen": "[]", "chosen_at": None}


async def test_somebody_elses_menu_is_not_there(desk: Desk) -> None:
    talk = await connected(desk)
    id = await offered(talk)
    marie = await desk.visitor().begin("Iets anders", name="Marie Claes")
    for foreign in (id, id + 1, 0, 2**63, 10**30):
        answer = await choose(marie, foreign, 0)
        assert answer.status_code == 404
        assert "Dit keuzemenu hoort niet bij uw gesprek." in marie.screen.text("#refused")
    nobody = desk.visitor()
    await nobody.open()
    assert (await choose(nobody, id, 0)).status_code == 404
    assert "choice" not in await kinds(talk.chat)


async def test_a_visitors_message_cannot_take_the_place_of_a_choice(desk: Desk) -> None:
    talk = await connected(desk)
    id = await offered(talk)
    answer = await talk.jef.post("/chat/messages", {"key": f"choice:{id}", "body": "Dag"})
    assert answer.status_code == 422
    assert (await choose(talk.jef, id, 0)).status_code == 200


async def test_an_offer_outside_a_conversation_is_refused(desk: Desk) -> None:
    talk = await connected(desk)
    bram = await desk.agent("bram", "Loket")
    assert (await offer(bram, talk.chat)).status_code == 404
    assert (await bram.get(f"/chats/{talk.chat}/offers")).status_code == 404
    await talk.an.get(f"/chats/{talk.chat}/offers")
    await talk.jef.end()
    answer = await offer(talk.an, talk.chat)
    assert answer.status_code == 409
    words = "Dit gesprek is beëindigd."
    assert words in talk.an.screen.text(f"#offer-{talk.chat}")
    assert talk.an.screen.first(f"#offer-{talk.chat} [name=title]").attributes["value"] == TITLE
    assert await Offer.count() == 0


# ---- the agent's form ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": " \t"}, "Schrijf waarover de bezoeker kiest."),
        ({"title": "\u200b\u2060"}, "Schrijf waarover de bezoeker kiest."),
        ({"title": "x" * 201}, "201 tekens; er passen er hoogstens 200."),
        ({"option": ["Ja"]}, "Geef 2 tot 10 opties."),
        ({"option": "Ja"}, "Geef 2 tot 10 opties."),
        ({"option": []}, "Geef 2 tot 10 opties."),
        ({"option": ["Ja", " ", "\u200b"]}, "Geef 2 tot 10 opties."),
        ({"option": [str(n) for n in range(11)]}, "Geef 2 tot 10 opties."),
        ({"option": ["Ja", "x" * 101]}, "101 tekens; er passen er hoogstens 100."),
        ({"option": ["Ja", "Nee", "Ja "]}, "Deze optie staat er al."),
        ({"key": "x"}, "Wat verzonden werd, is niet leesbaar."),
    ],
)
async def test_a_menu_that_cannot_be_is_refused_and_kept(
    desk: Desk, changes: dict[str, Any], words: str
) -> None:
    talk = await connected(desk)
    await talk.an.get(f"/chats/{talk.chat}/offers")
    answer = await offer(talk.an, talk.chat, choose="several", **changes)
    assert answer.status_code == 422
    form = talk.an.screen.first(f"#offer-{talk.chat}")
    assert words in talk.an.screen.text(f"#offer-{talk.chat}")
    if "key" not in changes:
        assert form.css("[aria-invalid=true][aria-describedby]")
        assert len(form.css("[autofocus]")) <= 1
    typed = [each.attributes.get("value") or "" for each in form.css("[name=option]")]
    wanted = changes.get("option", OPTIONS)
    kept = [
        each.strip() for each in ([wanted] if isinstance(wanted, str) else wanted) if each.strip("\u200b ")
    ]
    assert [each for each in typed if each] == kept
    assert "checked" in talk.an.screen.first(f"#offer-{talk.chat} [value=several]").attributes
    assert "offer" not in await kinds(talk.chat)


async def test_as_much_as_fits(desk: Desk) -> None:
    talk = await connected(desk)
    options = [f"{n:03}" + "x" * 97 for n in range(10)]
    await offered(talk, title="x" * 200, option=options)
    assert buttons(talk.jef) == options


async def test_line_breaks_become_spaces_and_empty_rows_nothing(desk: Desk) -> None:
    talk = await connected(desk)
    await offered(talk, option=["Ja\r\n graag", "", " Nee "])
    assert buttons(talk.jef) == ["Ja graag", "Nee"]


async def test_a_new_panel_has_a_new_key(desk: Desk) -> None:
    talk = await connected(desk)
    keys = set()
    for _again in range(2):
        await talk.an.get(f"/chats/{talk.chat}/offers")
        keys.add(talk.an.screen.first(f"#offer-{talk.chat} [name=key]").attributes["value"])
    assert len(keys) == 2
    answer = await offer(talk.an, talk.chat, key=keys.pop())
    assert answer.status_code == 200


# ---- saved ones ------------------------------------------------------------------------------------------


async def saved_titles(agent: AgentClient, chat: str) -> list[str]:
    await agent.must("GET", f"/chats/{chat}/offers")
    return agent.screen.texts(f"#tool-{chat} .option-title")


async def test_saved_ones_are_those_of_the_queue_the_chats_language_first(desk: Desk) -> None:
    talk = await connected(desk)
    titles = await saved_titles(talk.an, talk.chat)
    assert titles[0] == "Wat wilt u met uw bewonerskaart doen?"
    assert "Comment souhaitez-vous recevoir votre document ?" in titles
    assert "Welke documenten hebt u al?" not in titles, "is of another queue"
    await talk.an.end(talk.chat)
    await desk.visitor(language="fr").begin("Bonjour")
    titles = await saved_titles(talk.an, await taken(talk.an))
    assert titles[0] == "Comment souhaitez-vous recevoir votre document ?"


async def test_a_saved_one_fills_the_form(desk: Desk) -> None:
    talk = await connected(desk)
    await saved_titles(talk.an, talk.chat)
    ready = talk.an.screen.first(f"#tool-{talk.chat} .option")
    await talk.an.must("GET", str(ready.attributes["data-href"]))
    form = talk.an.screen.first(f"#offer-{talk.chat}")
    sent = [each.attributes["value"] for each in form.css("[name=option]") if each.attributes["value"]]
    assert sent == ["Aanvragen", "Verlengen", "Nummerplaat wijzigen", "Stopzetten"]
    title = talk.an.screen.first(f"#offer-{talk.chat} [name=title]").attributes["value"]
    assert title == "Wat wilt u met uw bewonerskaart doen?"
    await offered(talk, title=title, option=sent)
    assert buttons(talk.jef) == sent


async def test_a_saved_one_of_another_queue_is_not_there(desk: Desk) -> None:
    talk = await connected(desk)
    row = await SavedOffer.select(SavedOffer.id).where(SavedOffer.title.like("Welke documenten%")).first()
    assert row
    answer = await talk.an.get(f"/chats/{talk.chat}/offers?saved={row['id']}")
    assert answer.status_code == 404


async def test_without_saved_ones_the_form_is_all(desk: Desk) -> None:
    talk = await connected(desk)
    await SavedOffer.delete(force=True)
    assert await saved_titles(talk.an, talk.chat) == []
    assert not talk.an.screen.has(f"#tool-{talk.chat} [data-filter]")
    assert talk.an.screen.has(f"#offer-{talk.chat}")


# ---- hostile texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_texts_are_only_texts(desk: Desk, text: str) -> None:
    talk = await connected(desk)
    await talk.an.get(f"/chats/{talk.chat}/offers")
    refused = await offer(talk.an, talk.chat, title=text, option=[text])
    assert refused.status_code == 422
    id = await offered(talk, title=text, option=[text, "Nee"])
    answer = await choose(talk.jef, id, 0)
    assert answer.status_code == 200
    await talk.an.open()
    shown = " ".join(text.replace("\x00", "").split())
    for screen, thread in ((talk.jef.screen, "#thread"), (talk.an.screen, f"#thread-{talk.chat}")):
        assert shown in [words(each) for each in screen.css(f"{thread} .offer-title")]
        assert shown in [words(each) for each in screen.css(f"{thread} blockquote")]
        assert all(each.attributes.get("dir") == "auto" for each in screen.css(f"{thread} blockquote"))
        assert not screen.css(f"{thread} script, {thread} img")
    assert not LexborHTMLParser(refused.text).css("script, img")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_saved_texts_are_only_texts(desk: Desk, text: str) -> None:
    talk = await connected(desk)
    text = text.replace("\x00", "")
    row = SavedOffer(title=text, options=json.dumps([text, "Nee"]), language="nl", position=-1)
    await row.save()
    assert (await saved_titles(talk.an, talk.chat))[0] == " ".join(text.split())
    await talk.an.must("GET", f"/chats/{talk.chat}/offers?saved={row.id}")
    assert talk.an.screen.first(f"#offer-{talk.chat} [name=title]").attributes["value"] == text
    assert not talk.an.screen.css(f"#tool-{talk.chat} script, #tool-{talk.chat} img")


# ---- a message that changes ------------------------------------------------------------------------------


async def test_a_changed_message_is_drawn_anew_on_both_sides(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await talk.jef.say("Eerste tekst")
        await talk.console.wait_for("Eerste tekst")
        row = await Message.select(Message.seq).where(Message.body == "Eerste tekst").first()
        assert row
        await Message.update({Message.body: "Tweede tekst"}).where(Message.body == "Eerste tekst")
        chat = int(talk.chat)
        live.publish(f"chat:{chat}", MessageChanged(chat, row["seq"]))
        for stream, screen, thread in (
            (talk.window, talk.jef.screen, "#thread"),
            (talk.console, talk.an.screen, f"#thread-{chat}"),
        ):
            await stream.wait_for("Tweede tekst")
            assert "Eerste tekst" not in screen.text(thread)
            assert len(screen.css(f"{thread} [data-seq='{row['seq']}']")) == 1
