"""A citizen presses the button on a web form, an official answers, both talk until one of them ends it."""

from playwright.sync_api import expect

from tests.stories.conftest import Browsers


def test_the_whole_chat(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo")
    jef.press()
    jef.fill_in(name="Jef Peeters", question="Mag ik vandaag parkeren?")
    jef.sees("Mag ik vandaag parkeren?")

    an.accept()
    expect(jef.status).to_have_text("Verbonden met An")
    an.sees("Mag ik vandaag parkeren?")

    an.say("Dag Jef, in welke straat?", to="Jef Peeters")
    jef.sees("Dag Jef, in welke straat?")
    jef.say("In de Kerkstraat")
    an.sees("In de Kerkstraat")
    browsers.photograph_all("talking")

    jef.page.reload()
    jef.sees("In de Kerkstraat")
    an.page.reload()
    an.sees("In de Kerkstraat")

    jef.end()
    expect(an.page.get_by_role("tabpanel")).to_contain_text("De bezoeker heeft het gesprek beëindigd")
