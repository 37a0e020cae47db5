"""The pages of widgets as an admin keeps them: sites, subjects, texts, colours, and what open buttons see."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from db.settings import settings
from db.tables import Audit, Chat, Queue, Subject, Visitor, Widget
from features import button, colours
from tests import scenes
from tests.conftest import Desk
from tests.people import AgentClient
from tests.streams import Stream, as_read, reading

pytestmark = pytest.mark.either

LANGUAGES = ("nl", "fr", "de", "en")


async def opened(desk: Desk, path: str = "/settings/widgets") -> AgentClient:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get(path)).text)
    return admin


async def queue(name: str = "Algemeen") -> str:
    row = await Queue.select(Queue.id).where(Queue.name == name).first()
    assert row
    return str(row["id"])


async def row_of(name: str) -> dict[str, Any]:
    row = await Widget.select().where(Widget.name == name).first()
    assert row, name
    return row


async def new(**changes: Any) -> dict[str, Any]:
    """What the page sends."""
    form = {
        "name": "Sportdienst",
        "language": "nl",
        "origin": ["https://sport.example.be/", ""],
        "subject": [""],
        "queue": [await queue()],
        **{f"label_{code}": [""] for code in LANGUAGES},
        "label_nl": ["Zwembad"],
        "asked": ["question", "name"],
        "documents": "yes",
    }
    return {**form, **changes}


async def made(desk: Desk, **changes: Any) -> tuple[AgentClient, str]:
    """A widget of its own, and its page."""
    admin = await opened(desk)
    path = (await admin.must("POST", "/settings/widgets", await new(**changes))).headers["hx-redirect"]
    admin.screen.show((await admin.must("GET", path)).text)
    return admin, path


@contextlib.asynccontextmanager
async def looking(desk: Desk, key: str) -> AsyncIterator[Stream]:
    url = f"/widget/{key}/status"
    async with reading(desk.nobody().client, url, lambda _event: None, {}) as stream:
        await stream.wait_for("green")
        yield stream


def told(stream: Stream) -> dict[str, Any]:
    """All that the page knows by now."""
    known: dict[str, Any] = {}
    for event in stream.events:
        known |= json.loads(event.data)
    return known


# ---- a widget is made ------------------------------------------------------------------------------------


async def test_a_new_widget_works_at_once(desk: Desk) -> None:
    await desk.agent("an", "Loket", ready=True)
    _admin, path = await made(desk)
    row = await row_of("Sportdienst")
    assert path == f"/settings/widgets/{row['id']}"
    assert json.loads(row["origins"]) == ["https://sport.example.be"]
    assert json.loads(row["form"]) == ["name", "question"]
    async with looking(desk, row["key"]) as stream:
        assert told(stream)["green"] is True
    jef = desk.visitor(widget=row["key"])
    answer = await jef.must("GET", f"/widget/{row['key']}")
    assert "frame-ancestors 'self' https://sport.example.be" in answer.headers["content-security-policy"]


async def test_its_key_is_short_of_its_own_and_never_changes(desk: Desk) -> None:
    admin, path = await made(desk)
    key = (await row_of("Sportdienst"))["key"]
    await admin.must("POST", "/settings/widgets", await new(name="Ander"))
    assert (await row_of("Ander"))["key"] != key
    assert len(key) == 10
    assert key.isalnum()
    await admin.must("PUT", path, await new(key="mijnkeuze", version="1", name="Sport"))
    assert (await row_of("Sport"))["key"] == key


async def test_the_page_shows_the_line_to_paste_and_the_direct_address(desk: Desk) -> None:
    admin, _path = await made(desk)
    key = (await row_of("Sportdienst"))["key"]
    line = f'<script async src="{settings.url}/embed.js" data-widget="{key}"></script>'
    assert admin.screen.first("#snippet").text() == line
    assert admin.screen.text("#direct") == f"{settings.url}/widget/{key}"
    admin.screen.show((await admin.get("/settings/widgets")).text)
    assert "Sportdienst" in admin.screen.text("tbody")


@pytest.mark.parametrize(
    ("changes", "at", "said"),
    [
        ({"name": " "}, "name-error", "Geef een naam."),
        ({"name": "x" * 61}, "name-error", "61 tekens"),
        ({"name": "e-loket"}, "name-error", "Er is al een widget met deze naam."),
        ({"language": "es"}, "language-error", "Kies een taal."),
        ({"origin": ["", "http://www.example.be"]}, "origin-1-error", "moet beginnen met https://"),
        ({"origin": ["www.example.be"]}, "origin-0-error", "Alleen het begin van een adres"),
        ({"origin": ["https://example.be/pad"]}, "origin-0-error", "Alleen het begin van een adres"),
        ({"origin": ["https://*"]}, "origin-0-error", "Alleen het begin van een adres"),
        ({"origin": ["https://*.be"]}, "origin-0-error", "Alleen het begin van een adres"),
        ({"origin": ["https://a.*.be"]}, "origin-0-error", "Alleen het begin van een adres"),
        ({"origin": ["https://a.be; script-src *"]}, "origin-0-error", "Alleen het begin"),
        ({"origin": ["https://" + "a" * 200]}, "origin-0-error", "208 tekens"),
        ({"queue": ["999"]}, "queue-0-error", "Kies een wachtrij."),
        ({"queue": [""]}, "queue-0-error", "Kies een wachtrij."),
        ({"label_fr": ["x" * 61]}, "label-0-error", "61 tekens"),
        (
            {"subject": [], "queue": [], **{f"label_{code}": [] for code in LANGUAGES}},
            "subjects-error",
            "Geef minstens één onderwerp",
        ),
    ],
)
async def test_what_is_wrong_is_said_at_the_field_and_what_was_typed_stays(
    desk: Desk, changes: dict[str, Any], at: str, said: str
) -> None:
    admin = await opened(desk, "/settings/widgets/new")
    form = await new(**changes)
    answer = await admin.post("/settings/widgets", form)
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert said in admin.screen.text(f"#{at}")
    assert admin.screen.first("#name").attributes["value"] == form["name"]
    assert not await Widget.exists().where(Widget.name == "Sportdienst")


@pytest.mark.parametrize(
    "origin",
    [
        "https://www.example.be",
        "https://example.be:8443",
        "https://*.example.be",
        "http://localhost:3000",
        "http://127.0.0.1",
        "https://intranet",
    ],
)
async def test_sites_that_may_show_it(desk: Desk, origin: str) -> None:
    await made(desk, origin=[origin.upper() + "/"])
    assert json.loads((await row_of("Sportdienst"))["origins"]) == [origin]


async def test_subjects_keep_their_identity_when_they_move(desk: Desk) -> None:
    admin, path = await made(desk)
    first = await Subject.select().where(Subject.widget.name == "Sportdienst").first()
    assert first
    form = await new(version="1", subject=["", str(first["id"])], queue=[await queue("Vergunningen")] * 2)
    for code in LANGUAGES:
        form[f"label_{code}"] = [f"Nieuw {code}", f"Zwembad {code}"]
    await admin.must("PUT", path, form)
    rows = await Subject.select().where(Subject.widget == first["widget"]).order_by(Subject.position)
    assert [json.loads(row["label"])["fr"] for row in rows] == ["Nieuw fr", "Zwembad fr"]
    assert rows[1]["id"] == first["id"]
    form = await new(version="2", subject=[str(rows[0]["id"])])
    await admin.must("PUT", path, form)
    assert await Subject.count().where(Subject.widget == first["widget"]) == 1


async def test_a_subject_of_another_widget_is_not_touched(desk: Desk) -> None:
    admin, path = await made(desk)
    other = await Subject.select().where(Subject.widget.key == "voorbeeld").first()
    assert other
    await admin.must("PUT", path, await new(version="1", subject=[str(other["id"])]))
    assert await Subject.select().where(Subject.id == other["id"]).first() == other


async def test_two_admins_do_not_undo_each_other_unseen(desk: Desk) -> None:
    admin, path = await made(desk)
    await admin.must("PUT", path, await new(version="1", name="Sport"))
    late = await admin.send("PUT", path, await new(version="1", name="Zwemmen", subject=[]))
    assert late.status_code == 409
    admin.screen.show(late.text)
    assert "Beheerder heeft dit om 10:00 opgeslagen" in admin.screen.text("[data-problem]")
    assert admin.screen.first("#name").attributes["value"] == "Zwemmen"
    assert await Widget.exists().where(Widget.name == "Sport")


async def test_changes_are_audited(desk: Desk) -> None:
    admin, path = await made(desk)
    about = f"widget:{path.rpartition('/')[2]}"
    subject = await Subject.select(Subject.id).where(Subject.widget.name == "Sportdienst").first()
    assert subject
    await admin.must(
        "PUT",
        path,
        await new(version="1", subject=[str(subject["id"])], label_nl=["Sporthal"], documents="yes"),
    )
    rows = await Audit.select().where(Audit.about == about).order_by(Audit.id)
    assert [row["what"] for row in rows] == ["made", "changed"]
    before, after = json.loads(rows[1]["fields"])["subjects"]
    assert (before[0][1], after[0][1]) == ({"nl": "Zwembad"}, {"nl": "Sporthal"})


# ---- a widget goes ---------------------------------------------------------------------------------------


async def test_a_widget_without_conversations_goes_and_its_pages_are_told(desk: Desk) -> None:
    admin, path = await made(desk)
    row = await row_of("Sportdienst")
    await desk.visitor(widget=row["key"]).open()
    async with looking(desk, row["key"]) as stream:
        assert "De widget Sportdienst verwijderen?" in (await admin.get(f"{path}/deletion")).text
        assert (await admin.send("DELETE", path)).headers["hx-redirect"] == "/settings/widgets"
        await stream.wait_for_end()
    assert not await Widget.exists().where(Widget.id == row["id"])
    assert not await Visitor.exists().where(Visitor.widget == row["id"])
    assert (await admin.get(path)).status_code == 404


async def test_a_widget_with_conversations_stays_and_says_so(desk: Desk) -> None:
    await scenes.connected(desk)
    admin = await opened(desk)
    path = f"/settings/widgets/{(await row_of('E-loket'))['id']}"
    for answer in (await admin.get(f"{path}/deletion"), await admin.send("DELETE", path)):
        assert "1 gesprek in het logboek" in answer.text
    assert answer.status_code == 409
    assert await Chat.count() == 1


# ---- texts -----------------------------------------------------------------------------------------------


def texts(**said: str) -> dict[str, str]:
    return {"version": "1", **said}


async def test_texts_are_seen_by_open_buttons_and_on_the_card(desk: Desk) -> None:
    admin, path = await made(desk)
    key = (await row_of("Sportdienst"))["key"]
    async with looking(desk, key) as stream:
        form = texts(
            card_nl="## Bel ons\n\n<b>nu</b>", green_nl="Vraag het de sportdienst", privacy_fr="Vie privée."
        )
        await admin.must("PUT", f"{path}/texts", form)
        await stream.wait_for("Vraag het de sportdienst")
        said = told(stream)["texts"]
        assert said["nl"]["info"] == "Chat niet beschikbaar, bekijk de infofiche"
        assert said["fr"]["green"] == "Discuter avec un agent"
    card = (await desk.nobody().get(f"/widget/{key}/info?lang=nl")).text
    assert "<h2>Bel ons</h2>" in card
    assert "<b>" not in card
    kept = await row_of("Sportdienst")
    assert json.loads(kept["privacy"]) == {"fr": {"text": "Vie privée.", "url": ""}}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"info_url": "javascript:alert(1)"}, "info_url"),
        ({"info_url": "www.example.be"}, "info_url"),
        ({"card_de": "x" * 5001}, "card_de"),
        ({"privacy_nl": "x" * 501}, "privacy_nl"),
        ({"privacy_nl": "Lees dit.", "address_nl": "ftp://x.be"}, "address_nl"),
        ({"address_nl": "https://x.be/privacy"}, "privacy_nl"),
        ({"green_en": "x" * 61}, "green_en"),
        ({"info_en": "x" * 61}, "info_en"),
    ],
)
async def test_texts_that_cannot_be_are_said_to_be_so(desk: Desk, said: dict[str, str], field: str) -> None:
    admin, path = await made(desk)
    answer = await admin.send("PUT", f"{path}/texts", texts(**said))
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert admin.screen.text(f"#{field}-error")
    assert next(iter(said.values()))[:50] in answer.text.replace("&#39;", "'")
    assert (await row_of("Sportdienst"))["version"] == 1


async def test_a_card_elsewhere_replaces_our_own(desk: Desk) -> None:
    admin, path = await made(desk)
    await admin.must("PUT", f"{path}/texts", texts(info_url="https://www.example.be/contact"))
    key = (await row_of("Sportdienst"))["key"]
    answer = await desk.nobody().get(f"/widget/{key}/info")
    assert answer.headers["location"] == "https://www.example.be/contact"


async def test_the_preview_of_the_card_lets_no_html_through(desk: Desk) -> None:
    admin = await opened(desk)
    typed = "**Bel** [ons](https://x.be) <img src=x onerror=alert(1)> [hier](javascript:alert(1))"
    drawn = (await admin.must("POST", "/settings/widgets/card", {"text": typed})).text
    assert "<strong>Bel</strong>" in drawn
    assert "<img" not in drawn
    assert 'href="javascript' not in drawn


async def test_late_texts_are_refused_and_kept(desk: Desk) -> None:
    admin, path = await made(desk)
    await admin.must("PUT", f"{path}/texts", texts(card_nl="Eerst"))
    late = await admin.send("PUT", f"{path}/texts", texts(card_nl="Te laat"))
    assert late.status_code == 409
    assert "Te laat" in late.text


# ---- colours ---------------------------------------------------------------------------------------------


OWN = {"green_light": "#00695c", "green_dark": "#80cbc4", "blue_light": "#7b1fa2", "blue_dark": "#ce93d8"}


async def test_own_colours_reach_open_buttons_and_the_window(desk: Desk) -> None:
    admin, path = await made(desk)
    key = (await row_of("Sportdienst"))["key"]
    nobody = desk.nobody()
    assert "theme.css" not in (await nobody.get(f"/widget/{key}")).text
    async with looking(desk, key) as stream:
        assert told(stream)["style"] == ""
        await admin.must("PUT", f"{path}/looks", OWN | {"version": "1"})
        await stream.wait_for("#00695c")
        style = told(stream)["style"]
        assert style == "--green:light-dark(#00695c,#80cbc4);--blue:light-dark(#7b1fa2,#ce93d8)"
    for page in (f"/widget/{key}", f"/widget/{key}/info"):
        assert f'href="/widget/{key}/theme.css?v=2"' in (await nobody.get(page)).text
    sheet = await nobody.get(f"/widget/{key}/theme.css")
    assert sheet.headers["content-type"].startswith("text/css")
    assert "--balie-accent: light-dark(#7b1fa2, #ce93d8);" in sheet.text


async def test_the_standard_colours_are_not_kept(desk: Desk) -> None:
    admin, path = await made(desk)
    await admin.must("PUT", f"{path}/looks", OWN | {"version": "1"})
    standard = {"green_light": "#1a7f3c", "green_dark": "#4cc26f"}
    standard |= {"blue_light": "#0b5cad", "blue_dark": "#6db3f8", "version": "2"}
    await admin.must("PUT", f"{path}/looks", standard)
    assert json.loads((await row_of("Sportdienst"))["colours"]) == {}


async def test_what_a_site_needs_at_its_edges_reaches_open_buttons(desk: Desk) -> None:
    admin, path = await made(desk)
    async with looking(desk, (await row_of("Sportdienst"))["key"]) as stream:
        assert told(stream)["offset"] == "0 0"
        given = {"clear_bottom": " 72", "clear_right": "", "version": "1"}
        await admin.must("PUT", f"{path}/looks", OWN | given)
        await stream.wait_for('"72 0"')
    admin.screen.show((await admin.get(f"{path}/looks")).text)
    assert admin.screen.first("#clear_bottom").attributes["value"] == "72"
    for wrong in ("-1", "301", "veel"):
        answer = await admin.send("PUT", f"{path}/looks", OWN | {"clear_right": wrong, "version": "2"})
        assert answer.status_code == 422
        admin.screen.show(answer.text)
        assert "Een geheel getal van 0 tot 300." in admin.screen.text("#clear_right-error")
        assert admin.screen.first("#clear_right").attributes["value"] == wrong
    row = await row_of("Sportdienst")
    assert (row["clear_bottom"], row["clear_right"]) == (72, 0)


@pytest.mark.parametrize(
    ("name", "colour", "said"),
    [
        ("green_light", "#4cc26f", "Contrast 2 : 1. Minstens 4,5 : 1 is nodig"),
        ("blue_light", "#767676", "Contrast 4,1 : 1"),  # 4.54 on white, less on grey
        ("blue_dark", "#0b5cad", "Minstens 4,5 : 1"),
        ("green_dark", "rood", "Een kleur in zes tekens"),
        ("green_light", "#fff;}", "Een kleur in zes tekens"),
    ],
)
async def test_colours_that_cannot_be_read_are_refused(desk: Desk, name: str, colour: str, said: str) -> None:
    admin, path = await made(desk)
    answer = await admin.send("PUT", f"{path}/looks", OWN | {name: colour, "version": "1"})
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert said in admin.screen.text(f"#{name}-error")
    assert admin.screen.first(f"#{name}").attributes["value"] == colour
    assert json.loads((await row_of("Sportdienst"))["colours"]) == {}


def test_the_standard_colours_can_be_read() -> None:
    for shades in colours.STANDARD.values():
        for scheme, shade in zip(colours.SCHEMES, shades, strict=True):
            assert colours.weakest(shade, scheme) >= colours.LEAST


def test_contrast_is_measured_as_wcag_does() -> None:
    assert colours.ratio("#ffffff", "#000000") == pytest.approx(21)
    assert colours.ratio("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    ("stage", "seen"),
    [
        ("form", "Uw vraag"),
        ("waiting", "U bent nummer 2 in de wachtrij"),
        ("talk", "Verbonden met An"),
        ("onzin", "Uw vraag"),
    ],
)
async def test_the_window_is_drawn_in_every_state_and_sends_nothing(
    desk: Desk, stage: str, seen: str
) -> None:
    admin, path = await made(desk)
    answer = await admin.must("GET", f"{path}/window?stage={stage}&lang=nl")
    assert seen in as_read(answer.text)
    assert "<script" not in answer.text
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert not await Visitor.exists()


async def test_a_turn_and_new_texts_at_once_are_both_told(desk: Desk) -> None:
    await made(desk)
    row = await row_of("Sportdienst")
    async with looking(desk, row["key"]) as stream:
        look = button.look_of(row) | {"info": "https://nieuw.example/"}
        button.update(row["key"], True, look)
        await stream.wait_for("nieuw.example")
        assert told(stream)["green"] is True
