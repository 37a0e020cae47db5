"""A citizen goes on with the telephone, in the conversation that was begun at the desk."""

import re

from playwright.sync_api import expect

from tests.stories.conftest import Browsers
from tests.stories.test_identity import signed_in

PHONE = {"width": 390, "height": 844}


def test_the_conversation_goes_on_on_a_telephone_also_when_nobody_else_could_start_one(
    browsers: Browsers,
) -> None:
    an = browsers.agent("an", "Loket")
    lien = signed_in(browsers, "Hoe verleng ik mijn kaart?")
    an.accept()
    lien.sees_green()
    an.say("Met een foto.", to="Lien Janssens")
    lien.sees("Met een foto.")
    an.page.get_by_role("button", name=re.compile("Beschikbaar")).first.click()
    an.page.get_by_role("button", name=re.compile("Pauze|Lunch")).first.click()

    phone = browsers.visitor("/demo?citizen=lien", viewport=PHONE, has_touch=True)
    phone.button("Chat niet beschikbaar").click()
    phone.sees("Hoe verleng ik mijn kaart?")
    phone.sees("Met een foto.")
    phone.sees_green()
    expect(phone.text_bar).to_be_focused()
    browsers.check("phone")
    phone.say("Hier is ze.")
    lien.sees("Hier is ze.")
    an.sees("Hier is ze.")
    an.say("Dank u.", to="Lien Janssens")
    phone.sees("Dank u.")
    lien.sees("Dank u.")
    phone.page.reload()
    phone.button("Terug naar uw gesprek").click()
    phone.sees("Dank u.")

    karim = browsers.visitor("/demo?citizen=karim")
    karim.button("Chat niet beschikbaar").click()
    expect(karim.window.get_by_text("Chatten kan nu niet").or_(karim.window.locator("#blue"))).to_be_visible()
    expect(karim.window.get_by_text("Hoe verleng ik mijn kaart?")).to_have_count(0)

    phone.end()
    expect(phone.window.locator("#after-title")).to_be_focused()
    expect(lien.window.locator("#after-title")).to_be_visible()
