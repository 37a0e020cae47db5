// The visitor's window: its token, what it keeps, what it tells the host page, and where the focus goes.
// The protocol with the host page is described in embed.js.
"use strict";

const here = document.getElementById("window");
const framed = parent !== window;
document.documentElement.classList.toggle("alone", !framed);
const asked = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname + location.search);

const host = framed ? asked.get("origin") : "";
const record = framed ? { kept: {} } : ownRecord();
let token = framed ? asked.get("token") : record.token;
let inSight = !framed;
let identity = ""; // the host page's signed word for who this is, with the press
let facts = {}; // what it says besides: name, email, subject
let told = ""; // the state that the host page knows

const headers = () => ({ Authorization: `Bearer ${token}`, "X-Widget": here.dataset.key, "X-Language": here.dataset.lang });
const state = () => document.getElementById("state").dataset.state;
const keptOut = () => document.getElementById("state").dataset.keptOut !== undefined; // then the token stays the same
const bar = document.getElementById("textbar");

document.addEventListener("htmx:config:request", ({ detail }) => Object.assign(detail.ctx.request.headers, headers()));

// ---- what is kept: in the host page's storage, or in our own on a page of its own ------------------------------------

function ownRecord() {
  try {
    const found = JSON.parse(localStorage.getItem(storageName()));
    if (found?.token) return found;
  } catch { /* no storage, or nothing in it */ }
  return { token: freshKey(32), kept: {} };
}

function storageName() {
  return `balie.${here.dataset.key}`;
}

function keep(name, value) {
  if (value === null || value === "") delete record.kept[name];
  else record.kept[name] = value;
  if (framed) tell("keep", { name, value: value || undefined });
  else save();
}

function save() {
  try {
    if (["waiting", "active", "ended"].includes(state())) localStorage.setItem(storageName(), JSON.stringify(record));
  } catch { /* it still works until the page is left */ }
}

function forget() {
  try { localStorage.removeItem(storageName()); } catch { /* nothing there */ }
}

function tell(name, more = {}) {
  if (framed) parent.postMessage({ balie: name, ...more }, host);
}

// ---- the first act ---------------------------------------------------------------------------------------------------

const outbox = new Outbox({ keep });

async function begin() {
  const look = framed && asked.get("act") === "look"; // nobody is free, but a verified visitor may have a chat
  const press = look || (framed && asked.get("act") === "press");
  const status = await post(press ? "/chat/hold" : "/chat", { ...facts, page: page(), ...(identity && { identity }) }, press ? "POST" : "GET");
  if (!status || status >= 500) {
    lineChanged(true);
    return setTimeout(begin, 2_500);
  }
  if (line.down) lineChanged(false);
  if (look && state() === "none") return acts.info();
  restore();
  noticed();
  countUnread();
  if (inSight && (press || !framed)) focusWhereItBelongs();
}

function restore() {
  const { draft, files, ...rest } = record.kept;
  if (draft && !bar.elements.body.value) {
    bar.elements.body.value = draft;
    changed(bar);
  }
  for (const [name, item] of Object.entries(rest)) if (name.startsWith("out.") && item) outbox.restore(item);
  bringBack(bar.querySelector(".files"), files);
  const form = document.getElementById("form");
  for (const [name, value] of Object.entries((form && ownForm()) || {})) if (form.elements[name]) form.elements[name].value = value;
}

const page = () => (framed ? asked.get("page") : document.referrer) || "";

// ---- the conversation ------------------------------------------------------------------------------------------------

textBars({
  send: (form, body, added, sure) => {
    document.getElementById("refused").replaceChildren();
    outbox.add({ key: freshKey(), body, sure, url: form.getAttribute("action"), thread: form.dataset.thread, ...added });
  },
  typed: () => state() === "active" && fetch("/chat/typing", { method: "POST", headers: headers() }).catch(() => {}),
  keep: (form, text) => keep("draft", text),
});
document.addEventListener("outbox:refused", ({ detail }) => {
  const writing = bar.elements.body.value || !bar.contains(document.activeElement);
  putBack(bar, detail.body);
  keep("draft", bar.elements.body.value);
  if (!writing) document.querySelector("#refused [data-act]")?.focus();
});

const keepFiles = (list, numbers) => keep("files", numbers);
document.addEventListener("files:coming", () => fetch("/chat/here", { method: "POST", headers: headers() }).catch(() => {}));

watchLine({ beat: "/chat/beat", headers, changed: lineChanged });

function lineChanged(down) {
  document.documentElement.classList.toggle("line-down", down);
  document.getElementById("line-lost").hidden = !down || state() === "ended";
  if (down) return;
  outbox.retry();
  countUnread();
}

// A chat that is no longer there under a stream that comes back: look again what there is.
document.addEventListener("htmx:sse:error", ({ detail, target }) => {
  if (target.id === "stream" && detail.status === 404) look();
});
document.addEventListener("htmx:response:error", ({ detail, target }) => {
  if (target.id === "stream" && detail.ctx.response.status === 404) look();
});

function look() {
  document.getElementById("stream").replaceWith(Object.assign(document.createElement("div"), { id: "stream" }));
  post("/chat", {}, "GET").then(noticed);
}

// After every swap: does the state of the chat want something said or focused?
document.addEventListener("htmx:after:swap", () => { noticed(); askedFor(); entitle(); });

// The name of the desk, and before it how the chat stands.
function entitle() {
  const words = ["#status", "h1"].map((each) => document.querySelector(each).textContent.trim());
  document.title = words.join(" · ");
}

// "Are you still there?" also reaches who has put the window away: as something unread, on the button of the host page.
// So does, the other way round, what has been read in another tab.
let asking = false;
let readThere = "";

function askedFor() {
  const now = document.getElementById("idle").childElementCount > 0;
  const { read } = document.getElementById("state").dataset;
  if (now === asking && read === readThere) return;
  asking = now;
  readThere = read;
  countUnread();
}

function noticed() {
  const now = state();
  if (now === told || !now) return;
  const before = told;
  told = now;
  if (now === "waiting" || now === "active") {
    tell("started");
    record.known = true;
    if (!framed) save();
    if (before === "forming" || before === "none") {
      dropForm();
      if (busyHere()) focusWhereItBelongs();
    }
  } else if (now === "ended") {
    if (!keptOut()) {
      tell("ended");
      if (!framed) forget();
    }
    document.getElementById("line-lost").hidden = true;
    document.getElementById("end-dialog").close();
    if (before) toTheEnd();
  } else if (now === "blocked" && framed && asked.get("act") === "resume") {
    tell("started");
    record.known = true;
  } else if (now === "none" && framed && asked.get("act") === "resume" && !before) tell("gone");
}

const busyHere = () => !framed || document.hasFocus(); // not on the host page, which then keeps the focus

// Who is here goes on with what stands below; who is busy on the host page is told, and stays there.
function toTheEnd() {
  const title = document.getElementById("after-title");
  if (busyHere()) return title?.focus();
  const region = document.getElementById("announce");
  region.textContent = title?.textContent ?? "";
  setTimeout(() => region.replaceChildren(), 5_000);
}

// ---- unread and read -------------------------------------------------------------------------------------------------

document.addEventListener("thread:grown", ({ detail }) => {
  if (detail.added.some((item) => item.classList.contains("from-agent"))) document.getElementById("typing").replaceChildren();
  countUnread();
});
document.addEventListener("visibilitychange", countUnread);
addEventListener("focus", countUnread);

const looking = () => inSight && !document.hidden;

let read = 0; // the last from an agent that has been in sight; …
let got = 0; // … and the last that is here

function countUnread() {
  const from = all("#thread > .from-agent[data-seq]");
  const newest = Math.max(0, ...from.map((item) => +item.dataset.seq));
  read = Math.max(read, document.getElementById("state").dataset.read ?? 0);
  if (newest > (looking() ? read : Math.max(read, got))) saw(newest);
  const unread = looking() ? [] : from.filter((item) => +item.dataset.seq > read && !item.classList.contains("withdrawn"));
  tell("unread", { count: unread.length || +(asking && !looking()) });
}

// Once for all that came together; without a line, again when it is back.
async function saw(newest) {
  if (!["waiting", "active", "ended"].includes(state())) return;
  const before = [read, got];
  const body = new URLSearchParams(looking() ? { seq: newest } : { got: newest });
  got = newest;
  if (looking()) read = newest;
  try {
    if ((await fetch("/chat/read", { method: "POST", headers: headers(), body })).ok) return;
  } catch { /* no line */ }
  [read, got] = before;
}

// ---- offers: who has chosen stays where the menu was; what could not be sent can be chosen again -----------------------

let choosing = ""; // the menu that has the focus

document.addEventListener("focusin", ({ target }) => { choosing = target.closest?.("form.offer-open")?.closest("li").id ?? ""; });
document.addEventListener("thread:grown", () => {
  const menu = choosing && document.activeElement === document.body && document.querySelector(`#${choosing} .bubble`);
  if (menu && !menu.querySelector("form")) menu.focus();
});
for (const [name, failed] of [["htmx:error", true], ["htmx:before:request", false]])
  document.addEventListener(name, ({ target }) => target.matches?.("form.offer-open") && target.classList.toggle("failed", failed));

// ---- the form before the chat ----------------------------------------------------------------------------------------

let renewed = 0;
let question = freshKey(); // the key of the first message: sent twice, it is still one

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "form") return;
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("[type=submit]");
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  const status = await post("/chat", { ...facts, ...Object.fromEntries(new FormData(form, event.submitter)), key: question, page: page() });
  button.removeAttribute("aria-busy");
  if (document.getElementById("form-lost")) document.getElementById("form-lost").hidden = Boolean(status && status < 500);
  if (status === 422) document.querySelector("#form :is([aria-invalid], [data-act=adapt])")?.focus();
  else noticed();
});

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("#form");
  if (!form) return;
  if (!framed) try { sessionStorage.setItem(storageName(), JSON.stringify(Object.fromEntries(new FormData(form)))); } catch { /* no storage */ }
  const chose = event.target.name === "subject";
  if (!chose && Date.now() - renewed < 10_000) return;
  renewed = Date.now();
  post("/chat/hold", { subject: form.elements.subject?.value ?? "", page: page() }, "PATCH");
});

function ownForm() {
  try { return framed ? null : JSON.parse(sessionStorage.getItem(storageName())); } catch { return null; }
}

function dropForm() {
  try { sessionStorage.removeItem(storageName()); } catch { /* no storage */ }
}

// ---- controls --------------------------------------------------------------------------------------------------------

const acts = {
  adapt: (button) => { // a number that was warned of: back to the text
    const text = (button.closest("form") ?? bar).querySelector("textarea");
    button.closest(".notice").remove();
    text.focus();
  },
  minimise: () => tell("minimise"),
  end: () => (["waiting", "active"].includes(state()) ? document.getElementById("end-dialog").showModal() : acts.close()),
  "stop-waiting": () => leave(),
  press: () => post("/chat/hold", { page: page() }).then(noticed),
  close: async () => {
    if (keptOut()) return framed ? tell(record.known ? "minimise" : "closed") : location.reload();
    if (state() === "forming") await post("/chat/ending");
    if (framed) return tell("closed");
    forget();
    dropForm();
    location.reload();
  },
  again: () => {
    if (framed) return tell("again");
    forget();
    location.reload();
  },
  here: () => post("/chat/here").then(focusWhereItBelongs),
  forget: () => {
    if (framed) return tell("forget");
    forget();
    dropForm();
    location.reload();
  },
  info: () => (framed ? tell("info") : location.assign(`/widget/${encodeURIComponent(here.dataset.key)}/info?lang=${here.dataset.lang}`)),
};

async function leave() {
  const talked = state() === "active";
  const status = await post("/chat/ending");
  if (!status || status >= 500) return document.getElementById("line-lost").hidden = false;
  if (!talked) acts.close();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-act]");
  if (button) acts[button.dataset.act]?.(button);
  if (event.target.closest?.("[data-retry]")) outbox.retry();
});
document.getElementById("end-dialog").addEventListener("close", ({ target }) => {
  if (target.returnValue === "yes") leave();
  target.returnValue = "";
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || document.querySelector("dialog[open], :popover-open")) return;
  const adapt = document.querySelector("[data-act=adapt]");
  if (adapt) adapt.click();
  else tell("minimise");
});

function focusWhereItBelongs() {
  const target = { ended: "#after-title", forming: "#form :is(input, select, textarea, button)", none: "#panel :is(input, select, textarea, button)", blocked: "#kept-out" }[state()] ?? "#textbar textarea";
  document.querySelector(target)?.focus();
}

// ---- rating and copy by mail: the focus goes to what is wrong, or to the thanks ---------------------------------------

let answered = "";

document.addEventListener("submit", ({ target }) => { if (["rating", "copy"].includes(target.id)) answered = target.id; });
document.addEventListener("htmx:after:swap", () => {
  const part = document.getElementById(answered);
  if (!part || part.matches("form:not(:has([aria-invalid], [data-act]))")) return;
  answered = "";
  (part.querySelector("[aria-invalid] input, input[aria-invalid], textarea[aria-invalid], [data-act]") ?? part).focus();
});

// ---- the focus -------------------------------------------------------------------------------------------------------

// What goes away with the focus in it, such as what stands over the conversation while one waits, leaves it to what is
// next: else the keys would lead nowhere.
let focused = null;
document.addEventListener("focusin", ({ target }) => { focused = target; });
document.addEventListener("htmx:after:swap", () => {
  if (!focused || ![focused, document.body].includes(document.activeElement) || (focused.isConnected && focused.checkVisibility())) return;
  focused = null;
  if (!document.querySelector("dialog[open]") && busyHere()) focusWhereItBelongs();
});

// ---- downloads: fetched with the token; hx-download saves them --------------------------------------------------------

const downloadLost = (lost) => ({ target }) => {
  if (target.closest?.("[data-download]")) document.getElementById("download-lost").hidden = !lost;
};
document.addEventListener("htmx:download:start", downloadLost(false));
document.addEventListener("htmx:response:error", downloadLost(true));
document.addEventListener("htmx:error", downloadLost(true));

// ---- the host page ---------------------------------------------------------------------------------------------------

addEventListener("message", ({ source, origin, data }) => {
  if (!framed || source !== parent || origin !== host || !data?.balie) return;
  if (data.balie === "hello") Object.assign(record.kept, data.kept);
  if (data.balie === "hello" && asked.get("act") !== "resume") [identity, facts] = [data.jwt || "", plain(data.facts)];
  if (data.balie === "hello") begin();
  inSight = data.balie === "hide" ? false : data.balie === "hello" ? Boolean(data.visible) : data.balie === "show" || inSight;
  if (data.focus) focusWhereItBelongs();
  countUnread();
});

// Said to the developer of the host page, never to the visitor.
document.addEventListener("identity:refused", ({ detail }) => tell("warn", { text: detail.text }));

function plain({ name = "", email = "", subject = "" } = {}) {
  return { name, email, subject };
}

if (framed) {
  document.getElementById("minimise").hidden = false;
  tell("ready");
} else begin();
