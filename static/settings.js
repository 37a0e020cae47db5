// The settings pages: questions in a dialog, work that is not saved yet, lists that are narrowed by typing, rows that
// are added to a form, and what can be copied.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const ask = document.getElementById("ask");
let sent = ""; // the form whose answer is awaited
let added = 0;
// A row of a form, with ids of its own.
const another = (empty) => {
  const row = empty.cloneNode(true).firstElementChild;
  added += 1;
  for (const each of all("[id], [for]", row)) for (const name of ["id", "for"]) if (each.hasAttribute(name)) each.setAttribute(name, `${each.getAttribute(name)}-${added}`);
  return row;
};

document.addEventListener("htmx:after:swap", () => {
  const question = ask.querySelector("[data-ask]:not([data-live])"); // each is put once
  if (question && !ask.open) ask.showModal();
  question?.setAttribute("data-live", "");
  if (ask.open && !ask.querySelector("[data-ask]")) ask.close(); // it has been answered
  // What is wrong gets the focus: the first field, or the words over the form.
  const form = sent && document.getElementById(sent); // a new one, in the place of the one that was sent
  const wrong = form && (form.querySelector("[aria-invalid]") ?? form.querySelector("[data-problem]"));
  if (wrong) {
    sent = "";
    (wrong.matches("fieldset") ? wrong.querySelector("input") : wrong).focus();
  }
  for (const notice of all("[data-fades]:not([data-fading])")) {
    notice.dataset.fading = "";
    setTimeout(() => notice.remove(), 6_000);
  }
  for (const each of all("form[data-guard]")) mark(each);
  for (const input of all("[data-narrows]")) narrow(input); // what has been redrawn is whole again
});
ask.addEventListener("close", () => document.getElementById("ask-body").replaceChildren());

// ---- work that is not saved yet ----------------------------------------------------------------------------------------

const contents = (form) => new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string")).toString();

// A form that comes back with errors is not saved: its first contents are those of the page.
function mark(form) {
  if (form.fresh || form.saved === undefined) form.saved = form.querySelector("[aria-invalid], [data-problem]") ? "" : contents(form);
  form.fresh = false;
  const words = form.querySelector("[data-unsaved]");
  if (words) words.hidden = contents(form) === form.saved;
}

const changed = () => all("form[data-guard]").some((form) => form.saved !== undefined && !form.leaving && contents(form) !== form.saved);
for (const form of all("form[data-guard]")) mark(form);
for (const name of ["input", "change"]) document.addEventListener(name, ({ target }) => { 
  const form = target.closest?.("form[data-guard]");
  if (!form) return;
  form.leaving = false;
  mark(form);
});
addEventListener("beforeunload", (event) => { if (changed()) event.preventDefault(); });
document.addEventListener("htmx:before:request", ({ target }) => { if (target.matches?.("form")) sent = target.id; });
document.addEventListener("htmx:after:request", ({ target, detail }) => {
  if (target.matches?.("form") && detail.ctx?.response?.status < 300) target.leaving = target.fresh = true; // whatever follows: it has been saved
});

// ---- lists, rows, copies -----------------------------------------------------------------------------------------------

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

document.addEventListener("input", ({ target }) => { if (target.matches?.("[data-narrows]")) narrow(target); });

function narrow(target) {
  const list = document.getElementById(target.dataset.narrows);
  const wanted = plain(target.value).split(/\s+/).filter(Boolean);
  const rows = all("[data-row]", list);
  for (const row of rows) row.hidden = !wanted.every((word) => plain(row.textContent).includes(word));
  const none = document.getElementById(`${list.id}-none`);
  if (none) none.hidden = rows.some((row) => !row.hidden);
}

document.addEventListener("click", async ({ target }) => {
  if (target.closest?.("[data-print]")) print();
  if (target.closest?.("[data-close-dialog]")) ask.close();
  const dismiss = target.closest?.("[data-dismiss]");
  if (dismiss) dismiss.closest(".notice").remove();
  const copy = target.closest?.("[data-copy]");
  if (copy) {
    const words = copy.querySelector("span");
    const before = words.textContent;
    const source = document.getElementById(copy.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      words.textContent = copy.dataset.copied;
    } catch {
      getSelection().selectAllChildren(source); // the page may not: then by hand
    }
    setTimeout(() => { words.textContent = before; }, 2_000);
  }
  // A form's rows: <template id="…"> holds an empty one; the last one's button takes it away again.
  const add = target.closest?.("[data-add-row]");
  if (add) {
    const list = document.getElementById(add.dataset.addRow);
    const row = another(document.getElementById(`${list.id}-row`).content);
    list.append(row);
    row.querySelector("input, select, textarea")?.focus();
    list.dispatchEvent(new Event("change", { bubbles: true }));
  }
  // The rows of one list, in the place of those of others: the hours of Monday on other days.
  const spread = target.closest?.("[data-copies-rows]");
  if (spread) {
    const from = all("[data-row]", document.getElementById(spread.dataset.copiesRows));
    for (const list of spread.dataset.to.split(" ").map((id) => document.getElementById(id))) {
      const empty = document.getElementById(`${list.id}-row`).content;
      list.replaceChildren(...from.map((row) => {
        const copy = another(empty);
        const values = all("input", row).map((input) => input.value);
        all("input", copy).forEach((input, at) => { input.value = values[at]; });
        return copy;
      }));
      list.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }
  const remove = target.closest?.("[data-remove-row]");
  if (remove) {
    const row = remove.closest("[data-row]");
    const list = row.parentElement;
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector("[data-remove-row]") ?? document.querySelector(`[data-add-row="${list.id}"]`))?.focus();
    list.dispatchEvent(new Event("change", { bubbles: true }));
  }
});

// The navigation is open beside the page, folded away over it.
const folded = matchMedia("(max-width: 52rem)");
const fold = () => { const menu = document.querySelector(".settings-menu"); if (menu) menu.open = !folded.matches; };
folded.addEventListener("change", fold);
fold();

// The page that is open is in sight there; the page itself stays where it is.
const current = document.querySelector(".settings-nav [aria-current]");
if (current) current.closest(".settings-nav").scrollTop = current.getBoundingClientRect().bottom + 8 - innerHeight;
