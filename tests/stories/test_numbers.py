"""A citizen is about to send a number that is worth something: it is asked first, and staff see it only when
they ask."""

import re

from playwright.sync_api import Locator, Route, expect

from tests.stories.conftest import Browsers, VisitorPage

QUESTION = "Mijn rijksregisternummer is 85.07.30-033.28, kunt u kijken?"
RRN, RRN_MASK = "85.07.30-033.28", "•••••••••28"
PAY = "Stort het op BE54 0000 0000 0097 aub"
IBAN, IBAN_MASK = "BE54 0000 0000 0097", "••••••••••••0097"


def answers(where: Locator) -> tuple[Locator, Locator]:
    return (
        where.get_by_role("button", name="Aanpassen"),
        where.get_by_role("button", name="Toch verzenden"),
    )


def the_answer_is_lost_once(jef: VisitorPage) -> list[str]:
    """The server has the message, the page does not know."""
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(route.request.post_data or "")
        answer = route.fetch()
        if len(sent) == 1:
            assert answer.ok
            route.abort()
        else:
            route.fulfill(response=answer)

    jef.page.route("**/chat/messages", lose)
    return sent


def test_a_number_is_sent_only_by_who_says_so_and_shown_only_to_who_asks(browsers: Browsers) -> None:
    browsers.forgiven = ["net::ERR_FAILED", "Failed to fetch"]
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo")
    jef.press()
    jef.fill_in(name="Jef Peeters", question=QUESTION)
    adapt, anyway = answers(jef.form)
    expect(adapt).to_be_focused()
    expect(
        jef.form.get_by_role("alert").filter(has_text="Dit lijkt een rijksregisternummer.")
    ).to_be_visible()
    browsers.check("form")
    jef.page.keyboard.press("Escape")
    expect(adapt).to_have_count(0)
    expect(jef.form.get_by_label("Uw vraag")).to_be_focused()
    expect(jef.form.get_by_label("Uw vraag")).to_have_value(QUESTION)
    jef.form.get_by_label("Naam").press("Enter")  # asked again: Enter is not "anyway"
    expect(adapt).to_be_focused()
    jef.page.keyboard.press("Tab")
    expect(anyway).to_be_focused()
    jef.page.keyboard.press("Enter")

    expect(an.pane.get_by_text(RRN_MASK)).to_be_visible()
    an.accept()
    jef.sees_green()
    jef.sees(QUESTION)
    expect(an.thread.get_by_text(RRN_MASK)).to_be_visible()
    assert RRN not in an.page.content()

    refused = jef.window.locator("#refused")
    adapt, anyway = answers(refused)
    jef.say(PAY)
    expect(adapt).to_be_focused()
    expect(refused).to_contain_text("Dit lijkt een rekeningnummer (IBAN).")
    expect(jef.text_bar).to_have_value(PAY)
    expect(jef.thread.get_by_text(PAY)).to_have_count(0)
    browsers.check("warned")
    jef.page.keyboard.press("Escape")
    expect(refused).to_be_empty()
    expect(jef.text_bar).to_be_focused()
    expect(jef.text_bar).to_have_value(PAY)
    jef.page.keyboard.press("Enter")
    expect(adapt).to_be_focused()
    sent = the_answer_is_lost_once(jef)
    jef.page.keyboard.press("Tab")
    with jef.page.expect_request_finished(lambda request: request.url.endswith("/chat/messages")):
        jef.page.keyboard.press("Enter")
    assert len(sent) == 2, "again by itself, …"
    assert len({re.findall("key=[^&]+", each)[0] for each in sent}) == 1, "… with the same key"
    expect(jef.text_bar).to_have_value("")
    expect(jef.text_bar).to_be_focused()
    expect(jef.thread.locator(".mine:not(.pending)").filter(has_text=PAY)).to_have_count(1)
    expect(jef.thread.get_by_text(PAY)).to_have_count(1)
    expect(refused).to_be_empty()

    bubble = an.thread.locator(".bubble").filter(has_text=IBAN_MASK)
    expect(bubble).to_have_count(1)
    show = bubble.get_by_role("button", name="Tonen rekeningnummer (IBAN)")
    browsers.check("hidden")
    show.focus()
    an.page.keyboard.press("Enter")
    bubble = an.thread.locator(".bubble").filter(has_text=IBAN)
    hide = bubble.get_by_role("button", name="Verbergen")
    expect(hide).to_be_focused()
    expect(bubble).not_to_contain_text("•")
    browsers.check("shown")
    an.page.keyboard.press("Enter")
    expect(an.thread.get_by_text(IBAN_MASK)).to_be_visible()
    expect(an.thread.get_by_text(re.compile(IBAN))).to_have_count(0)

    jef.end()
    rating = jef.window.locator("#rating")
    rating.get_by_label("Heel tevreden", exact=True).check()
    rating.get_by_label("Opmerking").fill(QUESTION)
    rating.get_by_role("button", name="Mening versturen").click()
    adapt, anyway = answers(rating)
    expect(adapt).to_be_focused()
    anyway.click()
    expect(rating).to_contain_text("Bedankt voor uw mening")
