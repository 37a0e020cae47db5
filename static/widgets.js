// The pages of one widget: rows in an order, the editor of the info card, colours with their contrast, and what all of
// it will look like.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  document.addEventListener("click", ({ target }) => {
    const move = target.closest?.("[data-move-row]");
    if (move) {
      const row = move.closest("[data-row]");
      const list = row.parentElement;
      if (move.dataset.moveRow === "up") row.previousElementSibling?.before(row);
      else row.nextElementSibling?.after(row);
      move.focus();
      list.dispatchEvent(new Event("change", { bubbles: true }));
    }
    const mark = target.closest?.("[data-mark]");
    if (mark) marks[mark.dataset.mark](document.getElementById(mark.dataset.for));
    if (target.closest?.("[data-standard-colours]")) for (const field of colours()) set(field, field.dataset.standard);
  });

  // ---- the editor: what the buttons write, and the preview as the server draws it

  const marks = {
    bold: (area) => around(area, "**", "**"),
    link: (area) => around(area, "[", "](https://)", area.dataset.link),
    heading: (area) => lines(area, "## "),
    list: (area) => lines(area, "- "),
  };

  function around(area, before, after, otherwise = "") {
    const { selectionStart: start, selectionEnd: end } = area;
    const words = area.value.slice(start, end) || otherwise;
    write(area, start, end, before + words + after);
    area.setSelectionRange(start + before.length, start + before.length + words.length);
  }

  function lines(area, sign) {
    const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const end = area.selectionEnd;
    write(area, start, end, area.value.slice(start, end).split("\n").map((line) => sign + line).join("\n"));
  }

  function write(area, start, end, text) {
    area.focus();
    area.setSelectionRange(start, end);
    if (!document.execCommand("insertText", false, text)) { // this way it can be undone with Ctrl+Z
      area.setRangeText(text, start, end, "end");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  let waiting;
  document.addEventListener("input", ({ target }) => {
    if (target.matches?.("[data-previews]")) {
      clearTimeout(waiting);
      waiting = setTimeout(() => drawCard(target), 250);
    }
  });

  async function drawCard(area) {
    const headers = { "X-CSRF-Token": document.getElementById("csrf")?.content ?? "" };
    try {
      const answer = await fetch("/settings/widgets/card", { method: "POST", headers, body: new URLSearchParams({ text: area.value }) });
      if (answer.ok) document.getElementById(area.dataset.previews).innerHTML = await answer.text(); // no HTML of the author's comes through
    } catch { /* the next letter tries again */ }
  }

  // ---- colours

  const colours = () => all("[data-colour]");
  const valid = (colour) => /^#[0-9a-f]{6}$/.test(colour);

  function luminance(colour) {
    const part = (at) => {
      const value = parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
  }

  function ratio(one, other) {
    const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (lighter + 0.05) / (darker + 0.05);
  }

  function set(field, value) {
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function judge(field) {
    const colour = field.value.trim().toLowerCase();
    const said = document.getElementById(`${field.id}-ratio`);
    said.textContent = "";
    if (!valid(colour)) return;
    const picker = document.querySelector(`[data-picks="${field.id}"]`);
    if (picker.value !== colour) picker.value = colour;
    const found = Math.min(...field.dataset.grounds.split(" ").map((ground) => ratio(colour, ground)));
    const good = found >= 4.5;
    const shown = (Math.floor(found * 10) / 10).toLocaleString(document.documentElement.lang);
    said.textContent = (good ? said.dataset.good : said.dataset.bad).replace("{ratio}", shown);
    said.classList.toggle("weak", !good);
  }

  document.addEventListener("input", ({ target }) => {
    if (target.matches?.("[data-picks]")) set(document.getElementById(target.dataset.picks), target.value);
    if (target.matches?.("[data-colour]")) colour();
  });
  document.addEventListener("change", ({ target }) => {
    if (target.matches?.("#preview_scheme")) colour();
    if (target.matches?.("#preview_language")) speak(target.value);
    if (target.matches?.("[data-keys] #algorithm")) document.querySelector("[data-public]").hidden = target.value === "HS256";
  });
  document.addEventListener("htmx:after:swap", () => {
    if (document.getElementById("looks")) colour();
    const ask = document.getElementById("ask");
    if (ask.querySelector("[data-answered]")) ask.close();
  });

  // ---- the preview

  function colour() {
    for (const field of colours()) judge(field);
    const preview = document.getElementById("preview");
    if (!preview) return;
    const scheme = document.getElementById("preview_scheme").value;
    preview.dataset.scheme = scheme;
    const value = (name) => {
      const field = document.getElementById(`${name}_${scheme}`);
      const typed = field.value.trim().toLowerCase();
      return valid(typed) && typed !== field.dataset.standard ? typed : ""; // "": as the page has it
    };
    const [green, blue] = [value("green"), value("blue")];
    const roles = { available: green, accent: blue, unavailable: blue };
    for (const root of [preview, ...all("iframe", preview).map((frame) => frame.contentDocument?.documentElement)]) {
      if (!root) continue;
      root.dataset.scheme = scheme;
      for (const [role, own] of Object.entries(roles)) root.style.setProperty(`--balie-${role}`, own);
    }
  }

  function speak(language) {
    for (const drawn of all("[data-language]")) drawn.hidden = drawn.dataset.language !== language;
    for (const frame of all("#preview iframe")) {
      const url = new URL(frame.src);
      url.searchParams.set("lang", language);
      frame.src = url;
    }
  }

  for (const frame of all("#preview iframe")) frame.addEventListener("load", colour);
  if (document.getElementById("looks")) colour();
})();
