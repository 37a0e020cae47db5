"""A citizen and an official send each other files: by the button, by dropping, by pasting, in private."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.stories.conftest import AgentPage, Browsers, Server, VisitorPage
from tests.stories.test_keyboard import tab_to

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
PHONE = {"width": 390, "height": 844}

# What a browser hands over; a test cannot make it without a script.
MADE = """
const data = new DataTransfer();
for (const [name, content] of files) {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  data.items.add(new File([bytes], name, { type: "image/png" }));
}
const how = { bubbles: true, cancelable: true };
"""
DROP = f"""([selector, files]) => {{ {MADE}
  const target = document.querySelector(selector);
  const send = (type) => target.dispatchEvent(new DragEvent(type, {{ dataTransfer: data, ...how }}));
  send("dragover");
  const shown = document.querySelectorAll(".dropping").length;
  send("drop");
  return [shown, document.querySelectorAll(".dropping").length];
}}"""
PASTE = f"""([selector, text, files]) => {{ {MADE}
  if (text) data.setData("text/plain", text);
  const area = document.querySelector(selector);
  area.focus();
  return !area.dispatchEvent(new ClipboardEvent("paste", {{ clipboardData: data, ...how }}));
}}"""


def photo(size: tuple[int, int] = (640, 420)) -> bytes:
    made = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(made, "PNG")
    return made.getvalue()


def coded(*files: tuple[str, bytes]) -> list[list[str]]:
    return [[name, base64.b64encode(content).decode()] for name, content in files]


def talking(
    browsers: Browsers, an: AgentPage, path: str = "/widget/voorbeeld", **options: Any
) -> VisitorPage:
    jef = browsers.visitor(path, **options)
    if path == "/demo":
        jef.press()
    jef.fill_in(name="Jef Peeters", question="Welke stukken hebt u nodig?")
    an.accept()
    jef.sees_green()
    return jef


def choose(bar: Locator, *files: tuple[str, bytes]) -> None:
    """What the button's dialog would give."""
    chosen: list[FilePayload] = [{"name": name, "mimeType": "", "buffer": content} for name, content in files]
    bar.locator("[data-pick]").set_input_files(chosen)


def saved(page: Page, press: Locator) -> tuple[str, bytes]:
    with page.expect_download() as download:
        press.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_files_go_both_ways(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an, "/demo")
    rows = jef.window.locator(".public-files .file-row")

    with jef.page.expect_file_chooser():
        jef.window.get_by_role("button", name="Bijlage toevoegen").click()
    choose(
        jef.window.locator("#textbar"), ("foto.png", photo()), ("stiekem.png", b"<svg/>"), ("brief.pdf", PDF)
    )
    expect(rows).to_have_count(3)
    expect(jef.window.locator(".file-row.ready")).to_have_count(2)
    expect(jef.window.locator(".file-row.refused")).to_contain_text("stiekem.png is niet toegevoegd")
    jef.text_bar.fill("Hierbij mijn stukken")
    browsers.check("added")
    jef.text_bar.press("Enter")
    expect(rows).to_have_count(1)  # what was refused is still to be read
    jef.sees("Hierbij mijn stukken")
    expect(jef.thread.locator(".attachment")).to_have_count(2)

    an.sees("Hierbij mijn stukken")
    links = an.pane.locator("a.attachment")
    expect(links).to_have_count(2)
    expect(an.pane.get_by_alt_text("foto.png")).to_be_visible()
    assert saved(an.page, links.nth(1)) == ("brief.pdf", PDF)

    shown = an.page.evaluate(DROP, [".panel[data-live] .thread", coded(("lijst.csv", b"een;twee\n"))])
    assert shown == [1, 0], "the conversation says that it takes what is over it, no longer"
    expect(an.pane.locator(".file-row.ready")).to_have_count(1)
    an.pane.get_by_role("button", name="Verzenden").click()
    file = jef.thread.get_by_role("button", name="lijst.csv")
    expect(file).to_be_visible()
    browsers.check("sent")
    assert saved(jef.page, file) == ("lijst.csv", b"een;twee\n")
    assert saved(jef.page, jef.thread.get_by_role("button", name="brief.pdf")) == ("brief.pdf", PDF)


def test_what_is_pasted(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an, viewport=PHONE)
    picture = coded(("image.png", photo((40, 40))))
    assert jef.page.evaluate(PASTE, ["#textbar textarea", "", picture]), "a picture alone is attached"
    expect(jef.window.locator(".file-row.ready")).to_have_count(1)
    assert not jef.page.evaluate(PASTE, ["#textbar textarea", "Uit Word\nregel twee", picture]), (
        "text is text"
    )
    expect(jef.window.locator(".file-row")).to_have_count(1)
    browsers.check("phone")
    jef.window.get_by_role("button", name="Bestand verwijderen image.png").click()
    expect(jef.window.locator(".file-row")).to_have_count(0)
    expect(jef.text_bar).to_be_focused()


def test_an_upload_shows_how_far_it_is_and_can_be_stopped(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    network = jef.page.context.new_cdp_session(jef.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 300_000}
    network.send("Network.emulateNetworkConditions", slow)
    choose(jef.window.locator("#textbar"), ("groot.txt", b"a" * 3_000_000))
    bar = jef.window.get_by_role("progressbar", name="groot.txt")
    expect(bar).to_be_visible()
    expect(bar).to_have_attribute("value", re.compile(r"^0\.\d*[1-9]"))
    browsers.picture(jef.page, "uploading")
    jef.window.get_by_role("button", name="Bestand verwijderen").click()
    expect(jef.window.locator(".file-row")).to_have_count(0)

    # Sent before it is there: the message waits for its file.
    choose(jef.window.locator("#textbar"), ("klein.txt", b"b" * 400_000))
    jef.text_bar.fill("Met bijlage")
    jef.text_bar.press("Enter")
    expect(jef.thread.get_by_text("Met bijlage")).to_have_count(0)
    expect(jef.window.locator(".file-row")).to_have_count(1)
    jef.sees("Met bijlage")
    expect(an.pane.get_by_role("link", name="klein.txt")).to_be_visible()


def test_what_does_not_fit_is_named_at_once(browsers: Browsers, tmp_path: Path) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    large = tmp_path / "te groot.txt"
    large.write_bytes(b"a" * (20 * 1024 * 1024 + 1))
    jef.window.locator("[data-pick]").set_input_files(large)
    refused = jef.window.locator(".file-row.refused")
    expect(refused).to_contain_text("te groot.txt is niet toegevoegd: groter dan 20 MB")
    choose(jef.window.locator("#textbar"), *[(f"{number}.txt", b"a") for number in range(6)])
    expect(jef.window.locator(".file-row.ready")).to_have_count(5)
    expect(refused).to_contain_text(
        "5.txt is niet toegevoegd: in één bericht passen hoogstens vijf bestanden"
    )


def test_a_private_file_stays_with_the_agents(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    bar = an.pane.locator("form.textbar")
    choose(bar, ("openbaar.txt", b"openbaar"))
    expect(bar.locator(".public-files .ready")).to_be_visible()
    bar.locator(".tools [data-private]").click()
    expect(bar.locator(".public-files")).to_be_hidden()
    choose(bar, ("geheim.txt", b"kanarie"))
    expect(bar.locator(".private-files .ready")).to_be_visible()
    browsers.check("private")
    bar.locator("[type=submit]").click()
    expect(an.pane.locator(".message.private a.attachment")).to_contain_text("geheim.txt")
    assert saved(an.page, an.pane.get_by_role("link", name="geheim.txt")) == ("geheim.txt", b"kanarie")

    bar.locator(".tools [data-private]").click()
    expect(bar.locator(".public-files .ready")).to_contain_text("openbaar.txt")
    bar.locator("[type=submit]").click()
    expect(jef.thread.get_by_role("button", name="openbaar.txt")).to_be_visible()
    assert "geheim.txt" not in jef.page.content()
    browsers.check("sent")


def test_with_the_keyboard_alone(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    keys = jef.page.keyboard
    jef.page.on("filechooser", lambda _chooser: None)  # or the browser is told anew each time, and too late
    expect(jef.text_bar).to_be_focused()
    keys.type("Hierbij mijn brief")
    for name, content in (("brief.pdf", PDF), ("kwaad.exe", b"MZ\x90\x00"), ("foto.png", photo())):
        tab_to(jef.page, jef.window.get_by_role("button", name="Bijlage toevoegen"), "Shift+Tab")
        with jef.page.expect_file_chooser() as chooser:
            keys.press("Enter")
        chooser.value.set_files({"name": name, "mimeType": "", "buffer": content})
        expect(jef.text_bar).to_be_focused()
        expect(jef.window.locator(".file-row", has_text=name)).to_be_visible()
    expect(jef.window.locator(".file-row.ready")).to_have_count(2)
    tab_to(jef.page, jef.window.get_by_role("button", name="Bestand verwijderen brief.pdf"), "Shift+Tab")
    keys.press("Enter")
    expect(jef.window.locator(".file-row.ready")).to_have_count(1)
    expect(jef.text_bar).to_be_focused()
    expect(jef.text_bar).to_have_value("Hierbij mijn brief")
    keys.press("Enter")
    expect(an.pane.get_by_role("link", name="foto.png")).to_be_visible()
    tab_to(an.page, an.pane.get_by_role("link", name="foto.png"), "Shift+Tab")
    with an.page.expect_download() as download:
        an.page.keyboard.press("Enter")
    assert download.value.suggested_filename == "foto.png"


def test_what_was_added_survives_a_reload(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an, "/demo")
    choose(jef.window.locator("#textbar"), ("brief.pdf", PDF), ("foto.png", photo()))
    expect(jef.window.locator(".file-row.ready")).to_have_count(2)
    jef.text_bar.fill("Nog niet verstuurd")
    jef.page.reload()
    rows = jef.window.locator(".file-row.ready")
    expect(rows).to_have_count(2)
    expect(jef.text_bar).to_have_value("Nog niet verstuurd")
    browsers.check("reloaded")
    jef.window.get_by_role("button", name="Bestand verwijderen foto.png").click()
    expect(rows).to_have_count(1)
    jef.page.goto("/demo/2")  # the next page of the site
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("brief.pdf")
    jef.text_bar.press("Enter")
    jef.sees("Nog niet verstuurd")
    expect(an.pane.get_by_role("link", name="brief.pdf")).to_be_visible()
    jef.page.reload()
    jef.sees("Nog niet verstuurd")
    expect(rows).to_have_count(0)
    expect(an.pane.locator(".attachment")).to_have_count(1)


def test_a_refused_message_gives_its_files_back(browsers: Browsers, server: Server) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    choose(jef.window.locator("#textbar"), ("weg.txt", b"weg"), ("blijft.txt", b"blijft"))
    expect(jef.window.locator(".file-row.ready")).to_have_count(2)
    server.sql("DELETE FROM attachment WHERE name = ?", "weg.txt")  # a day has passed
    jef.say("Met twee bestanden")
    expect(jef.window.locator("#refused")).to_contain_text("Een bestand is er niet meer.")
    expect(jef.text_bar).to_have_value("Met twee bestanden")
    expect(jef.window.locator(".file-row.ready")).to_have_count(1)
    expect(jef.window.locator(".file-row.ready")).to_contain_text("blijft.txt")
    browsers.check("refused")
    jef.text_bar.press("Enter")
    expect(an.pane.get_by_role("link", name="blijft.txt")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_long_and_strange_names_fit(browsers: Browsers, dark: bool) -> None:
    look: Any = {"color_scheme": "dark" if dark else "light"}
    an = browsers.agent("an", "Loket", **look)
    jef = talking(browsers, an, viewport=PHONE, **look)
    long = "Aanvraag bewonerskaart en parkeervergunning voor de hele familie Peeters-Vandenbroucke " * 2
    names = (
        f"{long}.pdf",
        "aaaaaaaaaa" * 18 + ".pdf",
        "مرحبا بالعالم.pdf",
        "a\u202efdp.exe",
        "<b>vet</b>.pdf",
    )
    choose(jef.window.locator("#textbar"), *[(name, PDF) for name in names])
    expect(jef.window.locator(".file-row.ready")).to_have_count(5)
    choose(jef.window.locator("#textbar"), (f"{long}{long}.exe", b"MZ\x90\x00"))
    expect(jef.window.locator(".file-row.refused")).to_have_count(1)
    browsers.check("added")
    assert no_wider(jef.page)
    jef.say("Vijf bestanden en een foto volgt")
    choose(jef.window.locator("#textbar"), (f"{long}.png", photo((1200, 500))))
    expect(jef.window.locator(".file-row.ready")).to_have_count(1)
    jef.text_bar.press("Enter")
    expect(an.pane.locator(".attachment")).to_have_count(6)
    expect(jef.thread.locator(".attachment")).to_have_count(6)
    for file in ((f"{long}.pdf", PDF), ("foto.png", photo())):
        choose(an.pane.locator("form.textbar"), file)
    expect(an.pane.locator(".file-row.ready")).to_have_count(2)
    browsers.check("sent")
    an.page.keyboard.press("Enter")
    expect(jef.thread.locator(".attachment")).to_have_count(8)
    assert no_wider(jef.page)
    assert no_wider(an.page)


def no_wider(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
