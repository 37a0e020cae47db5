// Beside a conversation: the case number, which is saved when it changes, and the copy for the case system.
"use strict";

// ---- the case number: what comes from elsewhere never overwrites what is being typed ------------------------------------

const stateOf = (field) => document.getElementById(field.getAttribute("aria-describedby"));

document.addEventListener("focusin", ({ target }) => { if (target.matches?.("[data-case]")) target.before = target.value; });
document.addEventListener("focusout", ({ target }) => {
  if (target.matches?.("[data-case]") && target.value === target.before) target.value = target.defaultValue;
});
document.addEventListener("input", ({ target }) => { if (target.matches?.("[data-case]")) stateOf(target).replaceChildren(); });
document.addEventListener("htmx:error", ({ target }) => { if (target.matches?.("[data-case]")) say(stateOf(target), "failed"); });

// ---- the copy -----------------------------------------------------------------------------------------------------------

document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy]");
  if (!button) return;
  const state = button.parentElement.querySelector("[role=status]");
  state.replaceChildren();
  say(state, (await copied(textOf(button.dataset.copy)).catch(() => false)) ? "done" : "failed");
});

function say(state, how) {
  const words = document.createElement("span");
  words.className = how;
  words.textContent = state.dataset[how];
  state.replaceChildren(words);
}

async function textOf(url) {
  const answer = await fetch(url, { headers: headers() });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.text();
}

// The clipboard is asked for at the press, the text follows: some browsers forget the press while one waits.
async function copied(text) {
  if (!navigator.clipboard || !window.ClipboardItem) return copiedByHand(await text);
  const blob = text.then((words) => new Blob([words], { type: "text/plain" }));
  blob.catch(() => {}); // what writes it says so; where that refuses first, nobody waits for the text
  await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  return true;
}

// Without https there is no clipboard but this.
function copiedByHand(words) {
  const area = Object.assign(document.createElement("textarea"), { value: words, className: "visually-hidden" });
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}
