// The agent's tools: panels that open above a text bar and give the focus back to it, and the list of presets.
"use strict";

const toolOf = (element) => element.closest(".tool-panel");
const barOfTool = (panel) => document.getElementById(`bar-${panel.id.slice(5)}`);
const openTools = () => all(".tool-panel:not(:empty)");

async function openTool(button) {
  const panel = document.getElementById(button.getAttribute("aria-controls"));
  closeTool(panel, false);
  await post(button.dataset.tool, {}, "GET");
  button.setAttribute("aria-expanded", "true");
  panel.button = button;
  filterPresets(panel, "");
  return panel;
}

function closeTool(panel, focus = true) {
  if (!panel.firstElementChild) return;
  panel.replaceChildren();
  panel.slash = false;
  barOfTool(panel)?.elements.body.removeAttribute("aria-activedescendant");
  for (const button of all(`[aria-controls="${panel.id}"]`)) button.setAttribute("aria-expanded", "false");
  if (focus) barOfTool(panel).elements.body.focus();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-tool]");
  if (button) {
    const panel = document.getElementById(button.getAttribute("aria-controls"));
    if (panel.button === button && panel.firstElementChild) return closeTool(panel);
    await openTool(button);
    return panel.querySelector("[data-filter], [data-narrow], input:enabled, select, textarea, button:not([data-close-tool])")?.focus();
  }
  if (event.target.closest?.("[data-close-tool]")) return closeTool(toolOf(event.target));
  const option = event.target.closest?.("[data-list] .option");
  if (option) use(option);
});

document.addEventListener("keydown", (event) => {
  const panel = event.target.closest?.(".tool-panel");
  if (panel && event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    closeTool(panel);
  }
}, true);

// An answer of the server that ends what a panel, or the dialog, was opened for closes it: offered, invited, transferred.
document.addEventListener("tool:done", ({ detail }) => {
  const panel = document.getElementById(`tool-${detail.chat}`);
  if (panel) closeTool(panel);
  else document.getElementById("ask").close();
});

// ---- presets: narrowed by typing, chosen with the arrows and Enter; /short in the text bar does the same ---------------

const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const options = (panel) => all("[data-list] .option:not([hidden])", panel);

function filterPresets(panel, typed) {
  if (!panel.querySelector("[data-list]")) return;
  const words = folded(typed).split(/\s+/).filter(Boolean);
  for (const option of all(".option", panel)) {
    const text = folded(`${option.textContent} ${option.dataset.shortcut ?? ""}`);
    option.hidden = panel.slash ? !folded(option.dataset.shortcut).startsWith(words[0] ?? "") : !words.every((word) => text.includes(word));
  }
  const left = options(panel);
  panel.querySelector("[data-none]")?.toggleAttribute("hidden", left.length > 0);
  activate(panel, left[0]);
}

function activate(panel, option) {
  for (const each of all(".option", panel)) each.setAttribute("aria-selected", each === option);
  option?.scrollIntoView({ block: "nearest" });
  const typing = panel.slash ? barOfTool(panel).elements.body : panel.querySelector("[data-filter]");
  if (option) typing?.setAttribute("aria-activedescendant", option.id);
  else typing?.removeAttribute("aria-activedescendant");
}

const active = (panel) => panel.querySelector('.option[aria-selected="true"]:not([hidden])');

const use = (option) => (option.dataset.href ? post(option.dataset.href, {}, "GET") : usePreset(option));

function usePreset(option) {
  const panel = toolOf(option);
  const area = barOfTool(panel).elements.body;
  const slash = panel.slash && slashBefore(area);
  const from = slash ? area.selectionEnd - slash.length : area.selectionEnd;
  area.setRangeText(option.dataset.text, from, area.selectionEnd, "end");
  closeTool(panel);
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

document.addEventListener("input", async ({ target }) => {
  if (target.matches?.("[data-filter]")) return filterPresets(toolOf(target), target.value);
  if (!target.matches?.("form.textbar[data-chat] textarea")) return;
  const panel = document.getElementById(`tool-${target.form.dataset.chat}`);
  const slash = slashBefore(target);
  if (!slash) return panel.slash && closeTool(panel, false);
  if (!panel.slash) {
    if (panel.firstElementChild) return; // another tool is open
    panel.slash = true;
    await openTool(target.form.querySelector('[data-tool$="/presets"]'));
    panel.slash = true;
  }
  filterPresets(panel, (slashBefore(target) ?? "/").slice(1));
});

function slashBefore(area) {
  return area.value.slice(0, area.selectionEnd).match(/(?:^|\s)(\/[\p{L}\d_-]*)$/u)?.[1] ?? null;
}

document.addEventListener("keydown", (event) => {
  const area = event.target.matches?.("form.textbar[data-chat] textarea") && event.target;
  const panel = area ? document.getElementById(`tool-${area.form.dataset.chat}`) : event.target.matches?.("[data-filter]") && toolOf(event.target);
  if (!panel || (area && !panel.slash) || event.isComposing) return;
  const list = options(panel);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && list.length) activate(panel, list[(list.indexOf(active(panel)) + step + list.length) % list.length]);
  else if ((event.key === "Enter" || (area && event.key === "Tab")) && active(panel)) use(active(panel));
  else if (area && event.key === "Escape") closeTool(panel);
  else return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

// ---- invitations: colleagues and queues, narrowed by typing; the arrows go on to them, Enter to what comes next ---------

const invitees = (form) => all(".invitee", form).filter((each) => !each.hidden);

function narrow(field) {
  const words = folded(field.value).split(/\s+/).filter(Boolean);
  for (const each of all(".invitee", field.form)) {
    const name = folded(each.querySelector(".invitee-name").textContent);
    each.hidden = !words.every((word) => name.includes(word));
    if (each.hidden) each.querySelector("input").checked = false; // nobody is chosen out of sight
  }
  for (const group of all("fieldset", field.form)) group.hidden = words.length > 0 && !group.querySelector(".invitee:not([hidden])");
  field.form.querySelector("[data-none]").hidden = !words.length || invitees(field.form).length > 0;
}

document.addEventListener("input", ({ target }) => { if (target.matches?.("[data-narrow]")) narrow(target); });

document.addEventListener("keydown", (event) => {
  const field = event.target.matches?.(".invite-form :is([data-narrow], [type=radio])") && event.target;
  if (!field || event.isComposing || !["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
  const choices = invitees(field.form).map((each) => each.querySelector("input")).filter((each) => !each.disabled);
  const chosen = choices.find((each) => each.checked);
  const searching = field.type === "search";
  if (!searching && event.key !== "Enter") return; // the browser's own arrows
  event.preventDefault(); // Enter sends nothing by accident
  if (!searching || (event.key === "Enter" && chosen)) return field.form.elements.note.focus();
  const next = chosen ?? (event.key === "ArrowUp" ? choices.at(-1) : choices[0]);
  next?.focus();
  if (next) next.checked = true;
});

// Signing out: one choice for all conversations.
document.addEventListener("change", ({ target }) => {
  if (target.matches?.("[data-for-all]") && target.value !== "-") for (const each of all("select[name]", target.form)) each.value = target.value;
  else if (target.closest?.(".hand-overs")) all("[data-for-all]", target.form).forEach((each) => { each.value = "-"; });
});

// ---- offers: rows for options come and go; Enter goes on to the next -----------------------------------------------------

// What is public is not made while the text bar says private.
document.addEventListener("click", ({ target }) => {
  const form = target.closest?.("[data-private]")?.closest("form");
  const panel = form && document.getElementById(`tool-${form.dataset.chat}`);
  if (panel?.button?.disabled) closeTool(panel);
});

const rowsOf = (form) => all(".offer-row:not([hidden])", form);

function addRow(form) {
  const row = form.querySelector(".offer-row[hidden]");
  row?.removeAttribute("hidden");
  return row?.querySelector("input");
}

function removeRow(row) {
  const form = row.closest("form");
  const place = rowsOf(form).indexOf(row);
  const spare = rowsOf(form).length > 2;
  row.querySelector("input").value = "";
  row.querySelector(".field-error")?.remove();
  row.toggleAttribute("hidden", spare);
  if (spare) row.parentElement.append(row);
  (rowsOf(form)[place] ?? rowsOf(form).at(-1)).querySelector("input").focus();
}

document.addEventListener("click", ({ target }) => {
  const form = target.closest?.(".offer-form");
  if (target.closest?.("[data-less]")) removeRow(target.closest(".offer-row"));
  if (target.closest?.("[data-more]")) addRow(form)?.focus();
  form?.querySelector("[data-more]").toggleAttribute("hidden", !form.querySelector(".offer-row[hidden]"));
});

document.addEventListener("keydown", (event) => {
  const form = event.target.matches?.(".offer-form .input") && event.target.form;
  if (!form || event.key !== "Enter" || event.isComposing) return;
  event.preventDefault();
  const fields = all(".input", form).filter((field) => !field.closest("[hidden]"));
  const next = fields[fields.indexOf(event.target) + 1] ?? (event.target.value.trim() && addRow(form));
  (next || form.querySelector("[type=submit]")).focus();
});
