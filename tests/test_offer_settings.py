"""The list of saved offers as an admin keeps it."""

import json

import pytest

from db.tables import Offer, SavedOffer
from tests import scenes
from tests.conftest import Desk
from tests.people import AgentClient
from tests.screen import words

pytestmark = pytest.mark.either

NEW = {"title": "Waarover gaat het?", "options": "Parkeren\n\n Afval \nIets anders", "language": "nl"}


async def opened(desk: Desk, path: str = "/settings/offers") -> AgentClient:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get(path)).text)
    return admin


async def id_of(title: str) -> int:
    row = await SavedOffer.select(SavedOffer.id).where(SavedOffer.title == title).first()
    assert row, title
    return int(row["id"])


async def test_a_new_menu_lies_ready_for_agents(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    admin = await opened(desk)
    assert (await admin.post("/settings/offers", NEW)).headers["hx-redirect"] == "/settings/offers"
    await talk.an.get(f"/chats/{talk.chat}/offers")
    assert "Waarover gaat het?" in talk.an.screen.text(f"#tool-{talk.chat}")
    row = await SavedOffer.select().where(SavedOffer.title == NEW["title"]).first()
    assert row
    assert json.loads(row["options"]) == ["Parkeren", "Afval", "Iets anders"]


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"title": " "}, "title", "Schrijf waarover de bezoeker kiest."),
        ({"title": "x" * 201}, "title", "201 tekens; er passen er hoogstens 200."),
        ({"options": "Eén"}, "options", "Geef 2 tot 10 opties."),
        ({"options": "\n".join(map(str, range(11)))}, "options", "Geef 2 tot 10 opties."),
        ({"options": "Ja\nNee\n Ja"}, "options", "Deze optie staat er al."),
        ({"options": "Ja\n" + "x" * 101}, "options", "101 tekens; er passen er hoogstens 100."),
        ({"language": ""}, "language", "Kies een taal."),
        ({"queue": "0"}, "queue", "Kies uit de lijst."),
    ],
)
async def test_what_is_wrong_is_said_at_the_field(
    desk: Desk, changes: dict[str, str], field: str, said: str
) -> None:
    admin = await opened(desk, "/settings/offers/new")
    answer = await admin.post("/settings/offers", NEW | changes)
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert said in admin.screen.text(f"#{field}-error")
    assert not await SavedOffer.exists().where(SavedOffer.title == NEW["title"])


async def test_a_change_touches_no_menu_that_a_visitor_has_before_it(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    admin = await opened(desk)
    await admin.must("POST", "/settings/offers", NEW)
    form = {"title": NEW["title"], "option": ["Parkeren", "Afval"], "choose": "one", "key": "k" * 20}
    assert (await talk.an.send("POST", f"/chats/{talk.chat}/offers", form)).is_success
    path = f"/settings/offers/{await id_of(NEW['title'])}"
    await admin.must("PUT", path, NEW | {"title": "Anders", "options": "A\nB", "version": "1"})
    await talk.jef.open()
    assert "Parkeren" in talk.jef.screen.text("#thread .offer")
    assert await Offer.select(Offer.title).first() == {"title": NEW["title"]}


async def test_each_version_and_what_was_deleted_can_be_brought_back(desk: Desk) -> None:
    admin = await opened(desk)
    await admin.must("POST", "/settings/offers", NEW)
    path = f"/settings/offers/{await id_of(NEW['title'])}"
    admin.screen.show((await admin.get(path)).text)
    await admin.must("PUT", path, NEW | {"options": "A\nB", "several": "yes", "version": "1"})
    assert "Parkeren · Afval · Iets anders" in admin.screen.text("#earlier .version")
    number = (
        (admin.screen.first("#earlier [hx-vals]").attributes["hx-vals"] or "").strip('{}"').split(": ")[1]
    )
    await admin.must("POST", path + "/earlier", {"audit": number})
    assert admin.screen.text("#options").split() == ["Parkeren", "Afval", "Iets", "anders"]
    await admin.must("DELETE", path)
    admin.screen.show((await admin.get("/settings/offers")).text)
    (button,) = admin.screen.css("[aria-label='Waarover gaat het? terugzetten']")
    number = (button.attributes["hx-vals"] or "").strip('{}"').split(": ")[1]
    await admin.must("POST", "/settings/offers/return", {"audit": number})
    assert await SavedOffer.exists().where(SavedOffer.title == NEW["title"])


async def test_two_admins_do_not_undo_each_other_unseen(desk: Desk) -> None:
    admin = await opened(desk)
    await admin.must("POST", "/settings/offers", NEW)
    path = f"/settings/offers/{await id_of(NEW['title'])}"
    await admin.must("PUT", path, NEW | {"options": "A\nB", "version": "1"})
    late = await admin.send("PUT", path, NEW | {"options": "C\nD", "version": "1"})
    assert late.status_code == 409
    assert json.loads(
        (await SavedOffer.select(SavedOffer.options).where(SavedOffer.title == NEW["title"]))[0]["options"]
    ) == ["A", "B"]


async def test_a_menu_moves_down(desk: Desk) -> None:
    admin = await opened(desk)
    first, second, *_rest = admin.screen.texts("#offers tbody th")
    await admin.must("POST", f"/settings/offers/{await id_of(first)}/position", {"to": "down"})
    assert admin.screen.texts("#offers tbody th")[:2] == [second, first]


async def test_a_table_comes_back_as_it_went_and_tells_of_each_line(desk: Desk) -> None:
    admin = await opened(desk)
    await admin.must("POST", "/settings/offers", NEW | {"title": "=1+1", "several": "yes"})
    table = (await admin.get("/settings/offers/table")).content
    assert b"'=1+1" in table
    before = await SavedOffer.select().order_by(SavedOffer.id)
    more = table + b"Nieuw;nl;Algemeen;ja;A;B\r\nFout;nl;Nergens;;A\r\n"
    await admin.send("POST", "/settings/offers/table", files={"table": ("t.csv", more, "text/csv")})
    told = [words(node) for node in admin.screen.css("#report tbody tr")]
    assert "Geef 2 tot 10 opties. Er is geen wachtrij “Nergens”." in told[0]
    assert any(each.endswith("toegevoegd Nieuw") for each in told)
    assert (await SavedOffer.select().order_by(SavedOffer.id))[: len(before)] == before
