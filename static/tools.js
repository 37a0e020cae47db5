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
  for (const button of all(`[aria-controls="${panel.id}"]`)) button.setAttribute("aria-expanded", "false");
  if (focus) barOfTool(panel).elements.body.focus();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-tool]");
  if (button) {
    const panel = document.getElementById(button.getAttribute("aria-controls"));
    if (panel.button === button && panel.firstElementChild) return closeTool(panel);
    await openTool(button);
    return panel.querySelector("[data-filter], input:enabled, select, textarea, button:not([data-close-tool])")?.focus();
  }
  if (event.target.closest?.("[data-close-tool]")) return closeTool(toolOf(event.target));
  const option = event.target.closest?.("[data-presets] .option");
  if (option) usePreset(option);
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
const options = (panel) => all("[data-presets] .option:not([hidden])", panel);

function filterPresets(panel, typed) {
  if (!panel.querySelector("[data-presets]")) return;
  const words = folded(typed).split(/\s+/).filter(Boolean);
  for (const option of all(".option", panel)) {
    const text = folded(`${option.textContent} ${option.dataset.shortcut}`);
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
  else if ((event.key === "Enter" || (area && event.key === "Tab")) && active(panel)) usePreset(active(panel));
  else if (area && event.key === "Escape") closeTool(panel);
  else return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);
