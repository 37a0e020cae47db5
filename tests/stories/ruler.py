"""What can be measured of a page without axe: how large what one presses is, whether the focus is seen wherever it goes,
whether anything is cut or pushed out of sight, and what its tables and headings say."""

from typing import Any

from playwright.sync_api import Frame, Page

# What one can press or fill in, and see.
RULER = """
const seen = (each) => each.checkVisibility({ visibilityProperty: true, opacityProperty: false }) && each.getClientRects().length > 0;
const pressable = () => [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0'], [role=option], [role=tab]"
)].filter((each) => seen(each) && !each.closest("[inert], .visually-hidden, .skip") && !(document.querySelector("dialog[open]:modal") && !each.closest("dialog[open]")));
const called = (each) => `<${each.localName}${each.id ? ` #${each.id}` : ""}> ${(each.getAttribute("aria-label") ?? each.innerText ?? each.name ?? "").trim().slice(0, 40)}`;
const area = (each) => [each, ...(each.labels ?? []), each.closest("label")].filter(Boolean).map((one) => one.getBoundingClientRect());
"""

SMALL = """() => {
    %s
    const inText = (each) => each.matches("a, .link, summary") && getComputedStyle(each).display.startsWith("inline") && each.parentElement.innerText.trim() !== each.innerText.trim();
    return pressable().filter((each) => !inText(each) && !area(each).some(({ width, height }) => width >= 24 && height >= 24))
        .map((each) => `${called(each)}: ${area(each).map(({ width, height }) => `${width.toFixed()} × ${height.toFixed()}`).join(", ")}`);
}""" % RULER  # noqa: UP031

# Each gets the focus in turn: a ring of 2 px at least, on itself or on what holds it, and none of it under something else.
UNSEEN_FOCUS = """() => {
    %s
    const ring = (each) => { const { outlineStyle, outlineWidth } = getComputedStyle(each); return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2; };
    const faults = [];
    for (const each of pressable().filter((one) => !one.disabled && one.tabIndex >= 0)) {
        each.focus();
        if (document.activeElement !== each) { faults.push(`${called(each)}: cannot have the focus`); continue; }
        if (![each, ...(each.labels ?? []), each.closest("label, .textbar-box")].filter(Boolean).some(ring)) faults.push(`${called(each)}: no ring`);
        const box = each.getBoundingClientRect();
        const holds = (on) => on && (each.contains(on) || on.contains(each) && !on.matches("body, html, main, form") || [...(each.labels ?? [])].some((label) => label.contains(on)));
        const at = [0.1, 0.5, 0.9].map((part) => document.elementFromPoint(box.x + box.width / 2, box.y + box.height * part));
        if (!at.some(holds)) faults.push(`${called(each)}: under ${at[1] ? called(at[1]) : "nothing"}`);
    }
    return faults;
}""" % RULER  # noqa: UP031

# Words that do not fit where they stand, unless it scrolls or is shortened on purpose.
CUT = """() => {
    const faults = [];
    if (document.documentElement.scrollWidth > document.documentElement.clientWidth) faults.push(`the page is ${document.documentElement.scrollWidth} wide`);
    for (const each of document.body.querySelectorAll("*")) {
        const style = getComputedStyle(each);
        if (!each.checkVisibility() || each.closest(".visually-hidden, svg") || !/hidden|clip/.test(style.overflowX + style.overflowY)) continue;
        if (style.clipPath !== "none" || style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none" || each.matches("select, input")) continue;
        if (/hidden|clip/.test(style.overflowY) && each.scrollHeight > each.clientHeight + 1 || /hidden|clip/.test(style.overflowX) && each.scrollWidth > each.clientWidth + 1)
            faults.push(`<${each.localName} class="${each.className}"> ${each.scrollWidth} × ${each.scrollHeight} in ${each.clientWidth} × ${each.clientHeight}: ${each.innerText.slice(0, 40)}`);
    }
    return faults;
}"""

STRUCTURE = """() => {
    const faults = [];
    if (!document.documentElement.lang) faults.push("no language");
    if (!document.title.trim()) faults.push("no title");
    for (const table of document.querySelectorAll("table")) {
        if (!table.checkVisibility()) continue;
        const name = table.caption?.textContent.trim() || table.getAttribute("aria-label") || table.getAttribute("aria-labelledby");
        if (!name) faults.push(`a table without a name: ${table.innerText.slice(0, 40)}`);
        for (const head of table.querySelectorAll("th")) if (!head.scope) faults.push(`a heading without a scope: ${head.textContent.trim()}`);
        if (!table.querySelector("th")) faults.push(`a table without headings: ${table.innerText.slice(0, 40)}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at))) faults.push(`twice the id ${id}`);
    for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"])
        for (const each of document.querySelectorAll(`[${name}]`))
            for (const id of each.getAttribute(name).split(/\\s+/).filter(Boolean))
                if (!document.getElementById(id) && each.checkVisibility()) faults.push(`${name} of <${each.localName} #${each.id}> leads to no ${id}`);
    return faults;
}"""

# WCAG 1.4.12: a reader's own spacing.
SPACING = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
p { margin-block-end: 2em !important; }"""


def small(page: Page | Frame) -> Any:
    return page.evaluate(SMALL)


def unseen_focus(page: Page | Frame) -> Any:
    return page.evaluate(UNSEEN_FOCUS)


def cut(page: Page | Frame) -> Any:
    return page.evaluate(CUT)


def structure(page: Page | Frame) -> Any:
    return page.evaluate(STRUCTURE)


def space_out(page: Page | Frame) -> None:
    """Until the page is loaded again."""
    page.evaluate(
        "css => { const own = new CSSStyleSheet(); own.replaceSync(css); document.adoptedStyleSheets.push(own); }",
        SPACING,
    )
