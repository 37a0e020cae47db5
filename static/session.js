// Whoever is signed in: every request carries the session's CSRF token; when the session has run out, one signs in on
// the spot, and what was asked goes out again. On the console and the settings pages.
"use strict";

const csrf = () => document.getElementById("csrf")?.content ?? "";
const spoken = document.documentElement.lang; // a browser that translates the page changes it
const headers = () => ({ "X-CSRF-Token": csrf(), "X-Language": spoken });

document.addEventListener("htmx:config:request", ({ detail }) => Object.assign(detail.ctx.request.headers, headers()));

const again = document.getElementById("sign-in-dialog");
const unanswered = [];
let typedAt = 0;
document.addEventListener("input", ({ target }) => { if (target.matches?.("textarea")) typedAt = Date.now(); }, true);

document.addEventListener("htmx:response:error", ({ detail }) => {
  const { ctx } = detail;
  if (ctx.response.status === 401 && ctx.request.method !== "GET" && !ctx.fetch.ours) unanswered.push(ctx.sourceElement);
});

// Signing in again elsewhere: the page is left for it, and come back to.
let goingToSignIn = false;
document.addEventListener("click", ({ target }) => { goingToSignIn = Boolean(target.closest?.("[data-way-in]")); });

function signIn() {
  const state = document.getElementById("sign-in-again");
  if (!again || !state) return;
  if (state.hasAttribute("data-needed") && !again.open) {
    const pause = typedAt + 1_500 - Date.now(); // the rest of a sentence is no password
    pause > 0 ? setTimeout(signIn, pause) : again.showModal();
  }
  if (state.hasAttribute("data-done")) {
    state.removeAttribute("data-done");
    again.close();
    if (document.getElementById("csrf").dataset.agent !== again.dataset.agent) return location.reload(); // somebody else, in another window
    document.dispatchEvent(new CustomEvent("session:again"));
    for (const element of unanswered.splice(0)) if (element.isConnected) element.requestSubmit ? element.requestSubmit() : element.click?.();
  }
}
again?.addEventListener("cancel", (event) => event.preventDefault());
document.addEventListener("htmx:after:swap", signIn);

// ---- the focus: what is redrawn or goes away leaves it to what stands in its place, never to nothing ---------------------

let trail = []; // from what has the focus outwards, each with its place among its neighbours; dialogs give it back themselves

document.addEventListener("focusin", ({ target }) => {
  if (target.closest?.("dialog")) return;
  trail = [];
  for (let each = target; each && each !== document.body; each = each.parentElement)
    trail.push({ each, id: each.getAttribute("id"), place: each.parentElement ? [...each.parentElement.children].indexOf(each) : 0, words: each.innerText });
});

const FOCUSABLE = "a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled, textarea:enabled, summary, [tabindex]";
const inSightOf = (root) => (root ? [root, ...root.querySelectorAll(FOCUSABLE)] : []).filter((each) => each.matches(FOCUSABLE) && each.checkVisibility({ visibilityProperty: true }) && (each.tabIndex >= 0 || each.innerText.trim()));

function inItsPlace() {
  for (const [n, { each, id }] of trail.entries()) {
    const now = each.isConnected ? each : id ? document.getElementById(id) : null;
    if (!now?.checkVisibility()) continue;
    if (now.matches("main")) return null; // nothing left of where it was
    if (now.matches("[tabindex]") && now.innerText.trim()) return now;
    const neighbour = n && now.children[Math.min(trail[n - 1].place, now.children.length - 1)];
    const near = [...inSightOf(neighbour), ...inSightOf(now)];
    const found = near.find((one) => n === 0 || one.innerText === trail[0].words) ?? near[0];
    if (found) return found;
  }
}

function keepFocus() {
  setTimeout(() => {
    const now = document.activeElement;
    const lost = now === document.body || !now.checkVisibility();
    const open = [...document.querySelectorAll("dialog[open]")].at(-1);
    if (lost && open) return open.querySelector("[aria-invalid], [autofocus], input:not([type=hidden]), select, textarea, button")?.focus();
    const from = trail[0]?.each;
    if (!lost || !from || (from.isConnected && from.checkVisibility())) return; // somebody has only pressed beside it
    const next = inItsPlace() ?? document.querySelector("h1");
    if (next && !next.matches(FOCUSABLE)) next.tabIndex = -1;
    next?.focus();
  });
}
document.addEventListener("htmx:after:swap", keepFocus);
document.addEventListener("close", keepFocus, true);
