"""The same chat goes on: after a reload in any state, on the next page of the site, in a second tab."""

import re

from playwright.sync_api import Page, expect

from tests.stories.conftest import AgentPage, Browsers, Server, VisitorPage

BACK = "Terug naar uw gesprek"


def test_a_reload_in_every_state(browsers: Browsers, server: Server) -> None:
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/widget/voorbeeld")
    jef.form.get_by_label("Naam").fill("Jef Peeters")
    jef.form.get_by_label("Uw vraag").fill("Blijft dit staan?")
    jef.page.reload()
    expect(jef.form.get_by_label("Naam")).to_have_value("Jef Peeters")
    expect(jef.form.get_by_label("Uw vraag")).to_have_value("Blijft dit staan?")
    jef.form.locator("[type=submit]").click()
    jef.sees("Blijft dit staan?")

    jef.page.reload()
    jef.sees("Blijft dit staan?")
    expect(jef.status).to_have_text("Verbinden met een medewerker…")
    an.page.reload()
    expect(an.request_tab).to_be_visible()
    expect(an.pane).to_contain_text("Blijft dit staan?")
    jef.half_writes("Half een zi")
    jef.page.reload()
    expect(jef.text_bar).to_have_value("Half een zi")
    an.accept()

    for page in (jef.page, an.page):
        reload(page)
        jef.sees_green()
        an.sees("Blijft dit staan?")
        an.sees_green()
    expect(jef.text_bar).to_have_value("Half een zi")
    an.text_bar().fill("Half een ant")
    reload(an.page)
    expect(an.text_bar()).to_have_value("Half een ant")
    an.say("Ja.")
    jef.sees("Ja.")

    jef.end()
    expect(jef.window.get_by_role("button", name="Nieuw gesprek")).to_be_visible()
    expect(an.tab("Jef Peeters")).to_contain_text("Beëindigd")
    an.page.reload()
    expect(an.tab("Jef Peeters")).to_contain_text("Beëindigd")
    an.sees("Ja.")
    jef.page.reload()
    expect(jef.form).to_be_visible()  # it may be somebody else's turn at this screen
    assert [state for (state,) in server.sql("SELECT state FROM chat WHERE started_at IS NOT NULL")] == [
        "ended"
    ]


def reload(page: Page) -> None:
    """The console warns before it is left with chats open."""
    page.once("dialog", lambda dialog: dialog.accept())
    page.reload()


def test_the_next_page_of_the_site(browsers: Browsers, server: Server) -> None:
    an = browsers.agent("an", "Loket")
    jef = in_line(browsers)
    jef.page.goto("/demo/2")
    jef.sees("Mag ik?")
    expect(jef.status).to_have_text("Verbinden met een medewerker…")
    an.accept()
    jef.sees_green()
    jef.half_writes("Half een zi")
    jef.page.goto("/demo")
    expect(jef.text_bar).to_have_value("Half een zi")
    jef.window.get_by_role("button", name="Minimaliseren").click()
    expect(jef.button(BACK)).to_be_focused()
    jef.page.goto("/demo/2")
    expect(jef.button(BACK)).to_be_visible()
    an.say("Bent u daar?")
    expect(jef.button(BACK)).to_contain_text("1")
    expect(jef.button(BACK)).to_have_accessible_name(re.compile("1 nieuw bericht"))
    browsers.check("minimised")
    jef.page.reload()
    expect(jef.button(BACK)).to_contain_text("1")
    jef.button(BACK).click()
    jef.sees("Bent u daar?")
    expect(jef.text_bar).to_have_value("Half een zi")
    assert server.sql("SELECT count(*) FROM chat") == [(1,)]


def in_line(browsers: Browsers) -> VisitorPage:
    jef = browsers.visitor("/demo")
    jef.press()
    jef.fill_in(name="Jef Peeters", question="Mag ik?")
    jef.sees("Mag ik?")
    return jef


def test_two_tabs_are_one_chat(browsers: Browsers, server: Server) -> None:
    an = browsers.agent("an", "Loket")
    jef = in_line(browsers)
    second = VisitorPage(jef.page.context.new_page())
    second.page.goto("/demo")
    second.sees("Mag ik?")
    an.accept()
    for window in (jef, second):
        window.sees_green()
    jef.say("Uit de eerste")
    second.say("Uit de tweede")
    an.say("Ik zie beide")
    everybody: list[VisitorPage | AgentPage] = [jef, second, an]
    for tab in everybody:
        tab.sees("Uit de eerste")
        tab.sees("Uit de tweede")
        tab.sees("Ik zie beide")
    second.end()
    expect(jef.window.locator("#after h2")).to_be_visible()
    expect(an.tab("Jef Peeters")).to_contain_text("Beëindigd")
    assert server.sql("SELECT count(*) FROM chat") == [(1,)]


def test_a_double_click_is_one_chat(browsers: Browsers, server: Server) -> None:
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo")
    expect(jef.button()).to_be_visible()
    jef.button().dblclick()
    jef.form.get_by_label("Naam").fill("Jef Peeters")
    jef.form.get_by_label("Uw vraag").fill("Eén keer graag")
    jef.form.locator("[type=submit]").dblclick()
    jef.sees("Eén keer graag")
    an.page.get_by_role("button", name="Accepteren").dblclick()
    jef.sees_green()
    # On a slow machine the second press is of a button that is no longer there: htmx says so to the page.
    an.page.evaluate("document.dispatchEvent(new CustomEvent('htmx:before:request'))")
    an.sees("Eén keer graag")
    assert server.sql("SELECT count(*) FROM chat") == [(1,)]
    assert server.sql("SELECT count(*) FROM message WHERE kind = 'text'") == [(1,)]


def test_a_console_that_is_left_warns(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    in_line(browsers)
    an.accept()
    expect(an.text_bar()).to_be_focused()
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    an.page.on("dialog", stay)
    an.page.close(run_before_unload=True)
    expect(an.text_bar()).to_be_visible()
    an.page.wait_for_timeout(0)
    assert asked == ["beforeunload"]
    an.page.remove_listener("dialog", stay)


def test_a_new_conversation_after_the_end(browsers: Browsers, server: Server) -> None:
    an = browsers.agent("an", "Loket")
    jef = in_line(browsers)
    an.accept()
    jef.sees_green()
    an.close()
    an.confirm_end()
    jef.window.get_by_role("button", name="Nieuw gesprek").click()
    expect(jef.form).to_be_visible()
    jef.fill_in(name="Jef Peeters", question="En nog iets")
    jef.sees("En nog iets")
    an.accept()
    jef.sees_green()
    expect(jef.thread.get_by_text("Mag ik?")).to_have_count(0)
    assert server.sql("SELECT count(*) FROM chat") == [(2,)]
