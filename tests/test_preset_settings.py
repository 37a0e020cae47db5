"""The list of presets as an admin keeps it."""

import csv
import io

import httpx
import pytest

from db.tables import Preset
from features import spreadsheets
from tests import scenes
from tests.conftest import Desk
from tests.people import AgentClient
from tests.screen import words

pytestmark = pytest.mark.either

NEW = {"title": "Afspraak", "shortcut": "afspraak", "body": "Maak een afspraak, {visitor}.", "language": "nl"}
HEAD = "title;shortcut;language;queue;profile;text\n"


async def opened(desk: Desk, path: str = "/settings/presets") -> AgentClient:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get(path)).text)
    return admin


async def titles(admin: AgentClient) -> list[str]:
    admin.screen.show((await admin.get("/settings/presets")).text)
    return admin.screen.texts("#presets tbody th")


async def id_of(title: str) -> int:
    row = await Preset.select(Preset.id).where(Preset.title == title).first()
    assert row, title
    return int(row["id"])


async def test_a_new_preset_is_the_last_of_the_list_and_in_the_agents_panel(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    admin = await opened(desk)
    assert (await admin.post("/settings/presets", NEW)).headers["hx-redirect"] == "/settings/presets"
    assert (await titles(admin))[-1] == "Afspraak"
    await talk.an.get(f"/chats/{talk.chat}/presets")
    assert "Afspraak" in talk.an.screen.texts(f"#tool-{talk.chat} .option-title")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"title": " "}, "title", "Geef een titel."),
        ({"title": "x" * 81}, "title", "81 tekens; er passen er hoogstens 80."),
        (
            {"shortcut": "twee woorden"},
            "shortcut",
            "Gebruik 1 tot 30 letters, cijfers, koppeltekens of lage streepjes.",
        ),
        ({"shortcut": "DAG"}, "shortcut", "Deze afkorting wordt al gebruikt, in dezelfde taal."),
        ({"body": "\n "}, "body", "Schrijf het antwoord."),
        ({"body": "x" * 4001}, "body", "4.001 tekens; er passen er hoogstens 4.000."),
        ({"body": "Dag {naam}"}, "body", "Er is geen invulveld {naam}. Wel: {visitor}, {agent}, {queue}."),
        ({"language": "xx"}, "language", "Kies een taal."),
        ({"queue": "999"}, "queue", "Kies uit de lijst."),
        ({"profile": "een"}, "profile", "Kies uit de lijst."),
    ],
)
async def test_what_is_wrong_is_said_at_the_field(
    desk: Desk, changes: dict[str, str], field: str, words: str
) -> None:
    admin = await opened(desk, "/settings/presets/new")
    answer = await admin.post("/settings/presets", NEW | changes)
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert admin.screen.text(f"#{field}-error") == words
    assert not await Preset.exists().where(Preset.title == "Afspraak")


async def test_the_same_shortcut_may_be_used_in_another_language(desk: Desk) -> None:
    admin = await opened(desk)
    assert (await admin.post("/settings/presets", NEW | {"shortcut": "dag", "language": "de"})).is_success


async def test_the_example_reads_well_with_and_without_a_name(desk: Desk) -> None:
    admin = await opened(desk, "/settings/presets/new")
    await admin.must("POST", "/settings/presets/example", {"body": "Dag {visitor}, ik ben {agent}."})
    assert admin.screen.texts("#example dd") == [
        "Dag Jef Peeters, ik ben Beheerder.",
        "Dag, ik ben Beheerder.",
    ]


async def test_a_preset_moves_up_and_down_but_not_out_of_the_list(desk: Desk) -> None:
    admin = await opened(desk)
    first, second, *_rest = await titles(admin)
    path = f"/settings/presets/{await id_of(second)}/position"
    await admin.must("POST", path, {"to": "up"})
    await admin.must("POST", path, {"to": "up"})
    assert (await titles(admin))[:2] == [second, first]
    await admin.must("POST", path, {"to": "down"})
    assert (await titles(admin))[:2] == [first, second]


async def test_each_version_can_be_brought_back(desk: Desk) -> None:
    preset = await id_of("Begroeting")
    path = f"/settings/presets/{preset}"
    admin = await opened(desk, path)
    was = (await Preset.select(Preset.body).where(Preset.id == preset).first() or {})["body"]
    form = NEW | {"title": "Begroeting", "shortcut": "dag"}
    await admin.must("PUT", path, form | {"body": "Tweede", "version": "1"})
    await admin.must("PUT", path, form | {"body": "Derde", "version": "2"})
    assert admin.screen.texts("#earlier .version p:last-of-type") == ["Tweede", was]
    oldest = admin.screen.css("#earlier [hx-vals]")[-1].attributes["hx-vals"] or ""
    await admin.must("POST", path + "/earlier", {"audit": oldest.strip('{}"').split(": ")[1]})
    assert admin.screen.text("#body") == was
    assert admin.screen.texts("#earlier .version p:last-of-type")[0] == "Derde", (
        "what it was before that, too"
    )
    assert (await admin.post(path + "/earlier", {"audit": "99999"})).status_code == 404


async def test_what_was_deleted_can_be_brought_back_once(desk: Desk) -> None:
    admin = await opened(desk)
    await admin.must("DELETE", f"/settings/presets/{await id_of('Afsluiten')}")
    assert "Afsluiten" not in await titles(admin)
    (button,) = admin.screen.css("[aria-label='Afsluiten terugzetten']")
    number = (button.attributes["hx-vals"] or "").strip('{}"').split(": ")[1]
    await admin.must("POST", "/settings/presets/return", {"audit": number})
    assert (await titles(admin))[-1] == "Afsluiten"
    assert (await admin.post("/settings/presets/return", {"audit": number})).status_code == 404


async def test_what_an_agent_has_typed_or_sent_stays_as_it_was(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.an.say(talk.chat, "Een ogenblik, ik zoek dat voor u op.")
    admin = await opened(desk)
    await admin.must("DELETE", f"/settings/presets/{await id_of('Even opzoeken')}")
    await talk.jef.open()
    assert "Een ogenblik, ik zoek dat voor u op." in talk.jef.screen.texts("#thread .bubble")


# ---- tables ----------------------------------------------------------------------------------------------


async def take(admin: AgentClient, table: str | bytes) -> httpx.Response:
    data = table if isinstance(table, bytes) else table.encode()
    return await admin.send("POST", "/settings/presets/table", files={"table": ("t.csv", data, "text/csv")})


async def test_what_goes_out_as_a_table_comes_back_as_it_was(desk: Desk) -> None:
    admin = await opened(desk)
    await admin.must("POST", "/settings/presets", NEW | {"body": '=SOM(A1);"x"\nen meer'})
    answer = await admin.get("/settings/presets/table")
    assert answer.headers["content-type"].startswith("text/csv")
    before = await Preset.select().order_by(Preset.id)
    assert (await take(admin, answer.content)).is_success
    assert admin.screen.text("#report .notice").startswith("0 toegevoegd, 0 gewijzigd, 0 niet overgenomen")
    assert await Preset.select().order_by(Preset.id) == before


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
async def test_no_cell_is_a_formula(desk: Desk, start: str) -> None:
    admin = await opened(desk)
    await admin.must(
        "POST", "/settings/presets", NEW | {"title": f"{start}1+1"[:80], "body": f"{start}cmd|x"}
    )
    table = (await admin.get("/settings/presets/table")).content.decode("utf-8-sig")
    for row in csv.reader(io.StringIO(table), delimiter=";"):
        assert not any(cell.startswith(spreadsheets.FORMULA) for cell in row), row
    assert "cmd|x" in table


async def test_each_line_of_a_table_is_taken_or_told_why_not(desk: Desk) -> None:
    admin = await opened(desk)
    lines = (
        "Begroeting;dag;nl;;;Goeiedag!",
        "Nieuw;;nl;Algemeen;Loket;Een nieuwe",
        "Fout;;nl;Nergens;;Tekst",
        ";;nl;;;",
        "",
        "Nog een;dag;nl;;;Goeiedag!",
    )
    assert (await take(admin, HEAD + "\n".join(lines))).is_success
    told = [words(node) for node in admin.screen.css("#report tbody tr")]
    assert told[0].startswith("4 niet overgenomen Er is geen wachtrij “Nergens”.")
    assert told[1].startswith("5 niet overgenomen Geef een titel.")
    assert told[2:] == ["2 gewijzigd Begroeting", "3 toegevoegd Nieuw", "7 gewijzigd Nog een"]
    assert not await Preset.exists().where(Preset.title == "Fout")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (b"\xff\xfe\x00", "Het bestand is geen UTF-8-tekst."),
        (b"", "Op de eerste regel moeten de namen van de kolommen staan: title, shortcut"),
        (b"naam;tekst\nx;y", "Op de eerste regel moeten de namen van de kolommen staan"),
        (b"%PDF-1.7\n\x00\x00", "Op de eerste regel moeten de namen van de kolommen staan"),
        (HEAD.encode() + b"a;;nl;;;b\n" * 2001, "Hoogstens 2.000 regels tegelijk."),
        (b'title\n"' + b"x" * 200_000, "Het bestand kan niet als tabel worden gelezen."),
    ],
)
async def test_what_is_no_table_is_refused_in_words(desk: Desk, table: bytes, said: str) -> None:
    admin = await opened(desk)
    before = await Preset.count()
    answer = await take(admin, table)
    assert answer.status_code == 422
    assert said in admin.screen.text("#report")
    assert await Preset.count() == before
