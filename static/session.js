// Whoever is signed in: every request carries the session's CSRF token; when the session has run out, one signs in on
// the spot, and what was asked goes out again. On the console and the settings pages.
"use strict";

const csrf = () => document.getElementById("csrf")?.content ?? "";
const headers = () => ({ "X-CSRF-Token": csrf(), "X-Language": document.documentElement.lang });

document.addEventListener("htmx:config:request", ({ detail }) => Object.assign(detail.ctx.request.headers, headers()));

const again = document.getElementById("sign-in-dialog");
const unanswered = [];
let typedAt = 0;
document.addEventListener("input", ({ target }) => { if (target.matches("textarea")) typedAt = Date.now(); }, true);

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
