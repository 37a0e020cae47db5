"""The admin sets the opening hours and closes the chat; the button on the host page follows by itself."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.people import PASSWORD
from tests.stories.conftest import Browsers

GREEN = "Chat met een medewerker"
BLUE = "Chat niet beschikbaar, bekijk de infofiche"
FOLLOWS_MS = 2_000
PHONE = {"width": 390, "height": 844}


def settings_page(browsers: Browsers, path: str, **options: Any) -> Page:
    page = browsers.context(**options).new_page()
    page.goto(path)
    page.locator("#sign-in[data-htmx-powered]").wait_for()
    page.get_by_label("Gebruikersnaam").fill("admin")
    page.get_by_label("Wachtwoord").fill(PASSWORD)
    page.get_by_role("button", name="Aanmelden").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def test_closed_now_turns_the_button_blue_by_itself_and_reopening_green(browsers: Browsers) -> None:
    browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo")
    expect(jef.button(GREEN)).to_be_visible()
    admin = settings_page(browsers, "/settings/hours")
    admin.get_by_role("button", name="Alle chats nu sluiten").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Bericht aan bezoekers (Nederlands)").fill("We oefenen de brandtrap.")
    browsers.check("asked")
    dialog.get_by_role("button", name="Chat nu sluiten").click()
    expect(jef.button(BLUE)).to_be_visible(timeout=FOLLOWS_MS)
    expect(dialog).to_be_hidden()
    expect(admin.locator("#now")).to_contain_text("Nu gesloten door Beheerder: We oefenen de brandtrap.")
    jef.button(BLUE).click()
    expect(jef.window.get_by_text("We oefenen de brandtrap.").first).to_be_visible()
    admin.get_by_label("Wachtrij").select_option(label="Vergunningen")
    admin.get_by_label("Tijdstip").fill("11:00")
    admin.get_by_role("button", name="Bekijken").click()
    expect(admin.locator("#answer")).to_contain_text("Nu gesloten door Beheerder: We oefenen de brandtrap.")
    browsers.check("closed")
    jef.page.keyboard.press("Escape")
    admin.get_by_role("button", name="Alles heropenen").click()
    expect(jef.button(GREEN)).to_be_visible(timeout=FOLLOWS_MS)
    expect(admin.locator("#now")).to_contain_text("Open: altijd open")


def test_a_week_is_set_with_the_keyboard_and_a_moment_is_tried(browsers: Browsers) -> None:
    admin = settings_page(browsers, "/settings/hours")
    admin.get_by_role("link", name="Vergunningen", exact=True).click()
    monday = admin.get_by_role("group", name="maandag")
    expect(monday.get_by_label("maandag, opent om")).to_have_count(2)
    monday.get_by_role("button", name="Blok toevoegen").press("Enter")
    late = monday.get_by_label("maandag, opent om").last
    expect(late).to_be_focused()
    late.fill("16:00")
    monday.get_by_label("maandag, sluit om").last.fill("19:00")
    expect(admin.get_by_text("Nog niet opgeslagen")).to_be_visible()
    admin.get_by_role("button", name="Opslaan").press("Enter")
    expect(monday.get_by_text("Overlapt met maandag 13:00 – 17:00.")).to_be_visible()
    expect(monday.get_by_label("maandag, opent om").last).to_have_value("16:00")
    expect(monday.get_by_label("maandag, opent om").last).to_be_focused()
    browsers.check("overlaps")
    monday.get_by_label("maandag, opent om").last.fill("17:30")
    monday.get_by_role("button", name="Kopiëren naar dinsdag–vrijdag").press("Enter")
    friday = admin.get_by_role("group", name="vrijdag")
    expect(friday.get_by_label("vrijdag, opent om").last).to_have_value("17:30")
    friday.get_by_role("button", name="Blok verwijderen").first.press("Enter")
    admin.get_by_role("button", name="Opslaan").press("Enter")
    expect(admin.get_by_text("Opgeslagen.")).to_be_visible()
    browsers.check("saved")
    admin.get_by_role("main").get_by_role("link", name="Openingsuren").click()
    tried = {"2026-03-13T10:00": "Gesloten: buiten de uren van vrijdag (13:00 – 17:00, 17:30 – 19:00)"}
    tried |= {
        "2026-03-12T18:00": "Open: donderdag 17:30 – 19:00",
        "2026-11-11T18:00": "Gesloten: feestdag Wapenstilstand",
        "2026-03-14T18:00": "Gesloten: geen openingsuren op deze dag",
    }
    for moment, words in tried.items():
        day, _t, time = moment.partition("T")
        admin.get_by_label("Wachtrij").select_option(label="Vergunningen")
        admin.get_by_label("Dag", exact=True).fill(day)
        admin.get_by_label("Tijdstip").fill(time)
        admin.get_by_role("button", name="Bekijken").click()
        expect(admin.locator("#answer")).to_contain_text(words)


def test_a_closing_day_is_added_on_a_phone(browsers: Browsers) -> None:
    admin = settings_page(browsers, "/settings/days", viewport=PHONE)
    expect(admin.get_by_role("checkbox", name="Wapenstilstand")).to_be_checked()
    admin.get_by_role("link", name="Dag toevoegen").click()
    admin.get_by_label("Naam", exact=True).fill("Personeelsdag")
    admin.get_by_label("Dag", exact=True).fill("2026-03-12")
    admin.get_by_label("Open op deze uren").check()
    admin.get_by_role("button", name="Dag toevoegen").click()
    expect(admin.get_by_text("Voeg de uren toe, of kies “Hele dag gesloten”.")).to_be_visible()
    browsers.check("no-hours")
    admin.get_by_label("Hele dag gesloten").check()
    admin.get_by_role("button", name="Dag toevoegen").click()
    expect(admin.get_by_role("row", name="Personeelsdag")).to_contain_text("do 12 mrt 2026")
    browsers.check("added")
    admin.get_by_role("link", name="Personeelsdag").click()
    admin.get_by_role("button", name="Dag verwijderen").click()
    admin.get_by_role("dialog").get_by_role("button", name="Verwijderen").click()
    expect(admin.get_by_text("Nog geen eigen dagen")).to_be_visible()
