// What can be measured of a page without axe; each answers with its faults, in words. ruler.py asks.

const seen = (each) => each.checkVisibility({ visibilityProperty: true }) && each.getClientRects().length > 0;
const called = (each) => {
  const words = each.getAttribute("aria-label") ?? each.innerText ?? each.name ?? "";
  return `<${each.localName}${each.id ? ` #${each.id}` : ""}> ${words.trim().slice(0, 40)}`;
};

// What one can press or fill in, and see; over a dialog that has to be answered there is nothing else.
const WAYS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0'], [role=option], [role=tab]";
const pressable = () => [...document.querySelectorAll(WAYS)].filter((each) =>
  seen(each) && !each.closest("[inert], .visually-hidden, .skip")
  && (!document.querySelector("dialog:modal") || each.closest("dialog:modal")));
const withLabel = (each) => [each, ...(each.labels ?? []), each.closest("label")].filter(Boolean);

// WCAG 2.5.8: 24 px, but for a link in a sentence.
function small() {
  const inText = (each) => each.matches("a, .link, summary") && getComputedStyle(each).display.startsWith("inline")
    && each.parentElement.innerText.trim() !== each.innerText.trim();
  const sizes = (each) => withLabel(each).map((one) => one.getBoundingClientRect());
  return pressable()
    .filter((each) => !inText(each) && !sizes(each).some(({ width, height }) => width >= 24 && height >= 24))
    .map((each) => `${called(each)}: ${sizes(each).map(({ width, height }) => `${width.toFixed()} × ${height.toFixed()}`)}`);
}

// WCAG 2.4.7, 2.4.11: each gets the focus in turn; there is a ring, on itself or on what holds it, and it is not under
// something else.
function unseenFocus() {
  const faults = [];
  const ring = (each) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(each);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  };
  for (const each of pressable().filter((one) => !one.disabled && one.tabIndex >= 0)) {
    each.focus();
    if (document.activeElement !== each) {
      faults.push(`${called(each)}: cannot have the focus`);
      continue;
    }
    if (![...withLabel(each), each.closest(".textbar-box")].filter(Boolean).some(ring)) faults.push(`${called(each)}: no ring`);
    if (each.matches("textarea")) each.scrollIntoView({ block: "nearest" }); // as the Tab key does: the caret may be far down
    const box = each.getBoundingClientRect();
    const isOn = (on) => on && (each.contains(on) || withLabel(each).some((one) => one.contains(on))
      || (on.contains(each) && !on.matches("body, html, main, form")));
    const under = [0.1, 0.5, 0.9].map((part) => document.elementFromPoint(box.x + box.width / 2, box.y + box.height * part));
    if (!under.some(isOn)) faults.push(`${called(each)}: under ${under[1] ? called(under[1]) : "nothing"}`);
  }
  return faults;
}

// WCAG 1.4.10, 1.4.12: words that do not fit where they stand, unless it scrolls or is shortened on purpose.
function cut() {
  const faults = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) faults.push(`the page is ${scrollWidth} wide`);
  for (const each of document.body.querySelectorAll("*")) {
    const { overflowX, overflowY, clipPath, textOverflow, webkitLineClamp } = getComputedStyle(each);
    const hides = (overflow) => /hidden|clip/.test(overflow);
    if (!each.checkVisibility() || each.closest(".visually-hidden, svg") || !hides(overflowX + overflowY)) continue;
    if (clipPath !== "none" || textOverflow === "ellipsis" || webkitLineClamp !== "none" || each.matches("select, input")) continue;
    if ((hides(overflowY) && each.scrollHeight > each.clientHeight + 1) || (hides(overflowX) && each.scrollWidth > each.clientWidth + 1))
      faults.push(`${called(each)}: ${each.scrollWidth} × ${each.scrollHeight} in ${each.clientWidth} × ${each.clientHeight}`);
  }
  return faults;
}

// Language and title; tables with a name and headings; ids once; what refers to an id finds it.
function structure() {
  const faults = [];
  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title.trim()) faults.push("no title");
  for (const table of [...document.querySelectorAll("table")].filter(seen)) {
    if (!["aria-label", "aria-labelledby"].some((name) => table.getAttribute(name)) && !table.caption) faults.push(`no name: ${called(table)}`);
    if (!table.querySelector("th")) faults.push(`no headings: ${called(table)}`);
    for (const head of table.querySelectorAll("th:not([scope])")) faults.push(`no scope: ${called(head)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.getAttribute("id"));
  for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at))) faults.push(`twice the id ${id}`);
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "for"])
    for (const each of [...document.querySelectorAll(`[${name}]`)].filter(seen))
      for (const id of each.getAttribute(name).split(/\s+/).filter(Boolean))
        if (!document.getElementById(id)) faults.push(`${name} of ${called(each)} leads to no ${id}`);
  return faults;
}

// WCAG 1.4.12: a reader's own spacing, until the page is loaded again.
function spaceOut() {
  const own = new CSSStyleSheet();
  own.replaceSync(`* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
    p { margin-block-end: 2em !important; }`);
  document.adoptedStyleSheets.push(own);
}
