"""A phone, a narrow screen and 400 % zoom: everything is there, and nothing scrolls sideways."""

from playwright.sync_api import Page, expect

from tests.stories.conftest import AgentPage, Browsers

PHONE = {"width": 375, "height": 812}
NARROW = {"width": 320, "height": 640}
ZOOMED = {"width": 320, "height": 256}  # 1280 × 1024 at 400 %
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def fits(page: Page) -> None:
    for frame in page.frames:
        assert not frame.evaluate(WIDER), f"{frame.url} scrolls sideways"


def test_a_whole_chat_on_a_phone(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo", viewport=PHONE, is_mobile=True, has_touch=True, device_scale_factor=2)
    browsers.picture(jef.page, "button")
    jef.button().tap()
    expect(jef.form).to_be_visible()
    jef.takes(x=0, y=0, width=375, height=812)  # the whole screen
    browsers.check("form")
    jef.fill_in(name="Jef Peeters", question="Kan dat met mijn telefoon?")
    jef.sees("Kan dat met mijn telefoon?")
    browsers.picture(jef.page, "waiting")
    an.accept()
    jef.sees_green()
    an.say("Dat kan. Op welk adres woont u, en sinds wanneer? Dan zoek ik uw aanvraag op.")
    jef.say("Kerkstraat 12, sinds januari")
    an.sees("Kerkstraat 12, sinds januari")
    jef.sees("Kerkstraat 12, sinds januari")
    fits(jef.page)
    browsers.check("talking")
    jef.window.get_by_role("button", name="Minimaliseren").tap()
    an.say("Gevonden.")
    expect(jef.button("Terug naar uw gesprek")).to_contain_text("1")
    browsers.picture(jef.page, "minimised")
    jef.button("Terug naar uw gesprek").tap()
    jef.sees("Gevonden.")
    jef.end()
    expect(jef.window.get_by_role("button", name="Nieuw gesprek")).to_be_visible()
    fits(jef.page)


LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
NAME = "Maximiliaan-Alexander van der Straeten-Ponthoz de Merode"


def test_narrow_and_zoomed(browsers: Browsers) -> None:
    for username, viewport in (("an", NARROW), ("bram", ZOOMED)):
        size = f"{viewport['width']}x{viewport['height']}"
        an = AgentPage(browsers.context(viewport=viewport).new_page(), username)
        an.page.goto("/console")
        fits(an.page)
        an.sign_in()
        an.choose_profile("Loket")
        an.become_ready()
        expect(an.page.locator("#me")).to_contain_text("Beschikbaar")
        fits(an.page)
        jef = browsers.visitor("/widget/voorbeeld", viewport=viewport)
        expect(jef.form).to_be_visible()
        fits(jef.page)
        browsers.picture(jef.page, f"form-{size}")
        jef.fill_in(name=NAME, question=f"{LONG} {LONG}")
        expect(jef.status).to_have_text("Verbinden met een medewerker…")
        fits(jef.page)
        expect(an.request()).to_be_visible()
        fits(an.page)
        browsers.photograph_all(f"asked-{size}")
        an.accept()
        jef.sees_green(username.capitalize())
        an.say(f"https://www.voorbeeld.be/{LONG}")
        expect(jef.thread.get_by_role("link")).to_be_visible()
        expect(jef.text_bar).to_be_visible()
        fits(jef.page)
        fits(an.page)
        browsers.photograph_all(f"talking-{size}")
        an.close()
        expect(an.dialog).to_be_visible()
        fits(an.page)
        an.confirm_end()
        expect(jef.window.get_by_role("button", name="Nieuw gesprek")).to_be_visible()
        fits(jef.page)
        browsers.photograph_all(f"ended-{size}")
        for each in (an, jef):
            each.page.context.close()


def test_a_host_page_at_400_percent(browsers: Browsers) -> None:
    browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo", viewport=ZOOMED)
    jef.press()
    expect(jef.form).to_be_visible()
    fits(jef.page)
    jef.takes(width=320, height=256)
    browsers.picture(jef.page, "form")
    jef.fill_in(name="Jef Peeters", question="Mag ik?")
    jef.sees("Mag ik?")
    fits(jef.page)
    browsers.picture(jef.page, "waiting")
