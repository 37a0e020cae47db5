"""What can be measured of a page without axe: how large what one presses is, whether the focus is seen where
it goes, whether anything is cut or pushed out of sight, what its tables say. Each answers with the faults."""

from pathlib import Path

from playwright.sync_api import Page

RULER = Path(__file__).with_suffix(".js").read_text()


def measure(page: Page, what: str) -> list[str]:
    faults: list[str] | None = page.evaluate(f"() => {{ {RULER}\nreturn {what}(); }}")
    return faults or []


def small(page: Page) -> list[str]:
    return measure(page, "small")


def unseen_focus(page: Page) -> list[str]:
    return measure(page, "unseenFocus")


def cut(page: Page) -> list[str]:
    return measure(page, "cut")


def structure(page: Page) -> list[str]:
    return measure(page, "structure")


def space_out(page: Page) -> None:
    measure(page, "spaceOut")
