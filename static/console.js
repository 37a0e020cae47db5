// The agent's console: which tab is selected, what is typed in each, what the clocks say, and what is heard.
"use strict";

const console_ = document.getElementById("console"); // absent on the pages before the work: sign-in, profile
// ---- tabs: selection belongs to this window, so the server neither knows nor overwrites it ---------------------------

const tabs = () => all("#tabs [role=tab]");
const selected = () => tabs().find((tab) => tab.getAttribute("aria-selected") === "true");
let accepting = ""; // the pane of what has been accepted, unless another tab has been chosen since
let wanted = location.hash.slice(1); // a tab that is on its way
let last = null;
let lastPlace = 0;

function select(tab, focus = false) {
  for (const each of tabs()) {
    const on = each === tab;
    each.setAttribute("aria-selected", on);
    each.tabIndex = on ? 0 : -1;
  }
  for (const panel of all("#panels > .panel")) panel.toggleAttribute("data-live", panel.id === (tab?.getAttribute("aria-controls") ?? "pane-none"));
  last = tab?.id ?? null;
  if (tab) lastPlace = tabs().indexOf(tab);
  if (focus && tab) tab.focus();
  tab?.scrollIntoView({ block: "nearest", inline: "nearest" });
  const thread = document.querySelector(".panel[data-live] .thread");
  if (thread && thread.dataset.opened === undefined) {
    thread.dataset.opened = "";
    toEnd(thread);
  }
  sawNew();
}

function choose(tab, focus) {
  if (tab.getAttribute("aria-controls") !== accepting) accepting = wanted = "";
  select(tab, focus);
}

// After a swap: the same tab; else the one that was asked for; else a neighbour. The focus stays where somebody types.
function reselect() {
  const asked = wanted && document.getElementById(wanted);
  if (asked && document.getElementById(asked.getAttribute("aria-controls"))) { // tab and pane may come one after the other
    wanted = "";
    select(asked);
    return writeIn(asked);
  }
  const same = last && document.getElementById(last);
  select(same || tabs()[Math.min(lastPlace, tabs().length - 1)]);
  const lost = focused && (focused.isConnected ? document.activeElement === focused && !focused.checkVisibility() : document.activeElement === document.body);
  if (lost && !document.querySelector("dialog[open]")) (selected() ?? document.getElementById("pane-none"))?.focus();
}

let focused = null; // what goes away with the focus in it leaves it to the tab that is then selected
document.addEventListener("focusin", ({ target }) => { focused = target; });

function writeIn(tab) {
  document.querySelector(`#${CSS.escape(tab.getAttribute("aria-controls"))} textarea`)?.focus();
}

document.addEventListener("click", (event) => {
  const tab = event.target.closest?.("#tabs [role=tab]");
  if (!tab) return;
  choose(tab);
  writeIn(tab);
});
document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.("#tabs [role=tab]");
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const list = tabs();
  if (!tab || (!step && event.key !== "Home" && event.key !== "End")) return;
  event.preventDefault();
  const to = step ? (list.indexOf(tab) + step + list.length) % list.length : event.key === "Home" ? 0 : list.length - 1;
  choose(list[to], true);
});
document.addEventListener("htmx:before:request", ({ target }) => {
  if (target.matches?.("[hx-post$='/acceptance']")) accepting = target.closest(".panel").id;
});
document.addEventListener("conversation:opened", ({ detail }) => {
  if (!accepting) return;
  accepting = "";
  wanted = `tab-${detail.chat}`;
  reselect();
});

// ---- drafts and sending ----------------------------------------------------------------------------------------------

const storage = console_ && `balie.console.${console_.dataset.agent}`;
const kept = read();

function read() {
  try { return JSON.parse(localStorage.getItem(storage)) ?? {}; } catch { return {}; }
}

function keep(name, value) {
  if (value === null || value === "") delete kept[name];
  else kept[name] = value;
  try { localStorage.setItem(storage, JSON.stringify(kept)); } catch { /* it still works until the page is left */ }
}

// Signed out: the next person at this computer finds no drafts.
document.addEventListener("htmx:before:response", ({ detail }) => {
  const { request, response } = detail.ctx;
  if (request.method === "DELETE" && request.action.startsWith("/session") && response.raw.ok) localStorage.removeItem(storage);
});

const outbox = new Outbox({ keep });

function restore() {
  for (const [name, value] of Object.entries(kept)) {
    if (name.startsWith("out.") && document.getElementById(value.thread)) outbox.restore(value);
    else if (name.startsWith("out.") && !outbox.waiting.some((item) => item.key === value.key)) offerBack(name, value);
    const form = name.startsWith("draft.") && document.getElementById(`bar-${name.slice(6)}`);
    if (form && !isPrivate(form) && !form.elements.body.value) write(form, value);
  }
  for (const list of all("form.textbar .files:not([data-kept])")) {
    list.dataset.kept = "";
    bringBack(list, kept[filesIn(list)]);
  }
}

// What was written to a chat that has gone to somebody else is shown, to be copied, until it is put away.
function offerBack(name, item) {
  if (document.getElementById(`unsent-${name}`)) return;
  const notice = document.getElementById("unsent").content.cloneNode(true).firstElementChild;
  notice.id = `unsent-${name}`;
  notice.dataset.unsent = name;
  notice.querySelector("blockquote").textContent = item.body || item.names;
  document.getElementById("notices").append(notice);
}

document.addEventListener("click", ({ target }) => {
  const notice = target.closest?.("[data-unsent]");
  if (notice && target.closest("[data-dismiss]")) keep(notice.dataset.unsent, null);
  if (notice && target.closest("[data-copy]")) navigator.clipboard?.writeText(notice.querySelector("blockquote").textContent).catch(() => {});
}, true);


const filesIn = (list) => `files.${list.closest("form").dataset.chat}${list.classList.contains("private-files") ? ".private" : ""}`;
const keepFiles = (list, numbers) => keep(filesIn(list), numbers);

function write(form, text) {
  form.elements.body.value = text;
  changed(form);
}

// ---- private mode: another draft, another address, another look; what is in the one never gets into the other ---------

const isPrivate = (form) => form.classList.contains("private-mode");
const draftOf = (form, secret) => `draft.${form.dataset.chat}${secret ? ".private" : ""}`;

function setPrivate(form, on) {
  if (isPrivate(form) === on) return;
  const area = form.elements.body;
  keep(draftOf(form, !on), area.value);
  form.classList.toggle("private-mode", on);
  write(form, kept[draftOf(form, on)] ?? "");
  form.querySelector(".tools [data-private]").setAttribute("aria-pressed", on);
  for (const tool of all("[data-never-private]", form)) tool.disabled = on;
  if (on) area.setAttribute("aria-label", area.dataset.privateLabel);
  else area.removeAttribute("aria-label");
}

document.addEventListener("click", ({ target }) => {
  const form = target.closest?.("[data-private]")?.closest("form") ?? document.getElementById(`bar-${target.closest?.("[data-note]")?.dataset.note}`);
  if (!form) return;
  setPrivate(form, target.closest("[data-note]") ? true : !isPrivate(form));
  form.elements.body.focus();
});

function send(form, body, added) {
  typedAt = 0;
  document.getElementById(`refused-${form.dataset.chat}`)?.replaceChildren();
  const where = isPrivate(form) ? { url: form.dataset.privateAction, pending: "pending-private" } : { url: form.getAttribute("action") };
  outbox.add({ key: freshKey(), body, thread: form.dataset.thread, ...where, ...added });
}

document.addEventListener("outbox:refused", ({ detail }) => {
  const form = document.querySelector(`form.textbar[data-thread="${detail.thread}"]`);
  const secret = Boolean(detail.pending);
  if (form && isPrivate(form) === secret) putBack(form, detail.body);
  else if (form) keep(draftOf(form, secret), detail.body);
  else {
    keep(`out.${detail.key}`, detail);
    offerBack(`out.${detail.key}`, detail);
  }
});

// ---- clocks: the server says since when, until when; we count --------------------------------------------------------

const arrived = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? performance.now());
const skew = console_ ? Date.parse(console_.dataset.now) - arrived : 0;
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function tick() {
  const now = Date.now() + skew;
  for (const timer of all(".timer[data-since], .timer[data-until]")) {
    const { since, until, to } = timer.dataset;
    const seconds = Math.max(0, ((to ? Date.parse(to) : now) - Date.parse(since ?? until)) / 1000 * (since ? 1 : -1));
    const text = clock(since ? seconds : Math.ceil(seconds));
    if (timer.textContent !== text) timer.textContent = text;
    if (timer.dataset.late) {
      const state = timer.closest(".tab-state").classList;
      state.toggle("late", seconds >= timer.dataset.late && seconds < timer.dataset.veryLate);
      state.toggle("very-late", seconds >= timer.dataset.veryLate);
    }
  }
  dropWithdrawals(now);
  for (const bar of all("progress[data-until]")) {
    bar.value = Math.max(0, (Date.parse(bar.dataset.until) - now) / 1000);
    bar.classList.toggle("short", bar.value <= 10);
  }
}

// ---- marks: how far the visitor has got what agents wrote; in words where the state changes -----------------------------

function mark() {
  for (const { id, dataset: { got, read } } of all("[id^=marks-]")) {
    let below = "";
    for (const item of all(`#thread-${id.slice(6)} > .from-agent[data-seq]:not(.private, .withdrawn)`).reverse()) {
      const state = +item.dataset.seq <= +read ? "read" : +item.dataset.seq <= +got ? "got" : "sent";
      item.dataset.mark = state;
      item.classList.toggle("marked", state !== below);
      below = state;
    }
  }
}

// Withdrawn, or too late for it: who was on the button goes on writing.
function dropWithdrawals(now) {
  for (const button of all("[data-gone-at]")) if (now >= Date.parse(button.dataset.goneAt)) button.remove();
  if (focused?.matches(".withdraw") && !focused.isConnected && selected()) writeIn(selected());
}

// ---- what has been seen, counts, sound ---------------------------------------------------------------------------------------

const looking = () => !document.hidden && document.hasFocus();

function sawNew() {
  const panel = document.querySelector(".panel[data-live]");
  const thread = panel?.querySelector(".thread");
  if (!thread || !looking()) return;
  const newest = Math.max(0, ...all("[data-seq]:not(.private)", thread).map((item) => +item.dataset.seq));
  if (newest <= +(thread.dataset.read ?? 0)) return;
  thread.dataset.read = newest;
  fetch(`/chats/${panel.id.slice(5)}/read`, { method: "POST", headers: headers(), body: new URLSearchParams({ seq: newest }) }).catch(() => {});
}

const title = document.title;

function count() {
  const tab = selected();
  if (tab && looking()) { // it is being read as it comes
    tab.dataset.unread = 0;
    tab.classList.remove("unread");
    tab.querySelector(".badge")?.remove();
  }
  const unread = tabs().reduce((sum, tab) => sum + (+tab.dataset.unread || 0), 0) + all(".tab.request").length;
  document.title = unread ? `(${unread}) ${title}` : title;
}

// What comes in a conversation out of sight is said by its number; the messages themselves, when its tab is chosen.
const toldUnread = new Map();

function sayUnread() {
  const more = tabs().filter((tab) => +tab.dataset.unread > (toldUnread.get(tab.id) ?? 0) && tab !== selected());
  for (const tab of tabs()) toldUnread.set(tab.id, +tab.dataset.unread || 0);
  const words = more.map((tab) => [tab.querySelector(".tab-name"), tab.querySelector(".badge > :last-child")].map((each) => each.textContent.trim()).join(": "));
  if (words.length) document.getElementById("announce-unread").textContent = words.join(", ");
}

const muted = (what) => kept[`mute.${what}`] === true;
let audio = null;

// Two soft notes for a message, a rising three for a request: made here, nothing to download.
function play(notes) {
  try {
    unblock();
    notes.forEach((frequency, index) => {
      const at = audio.currentTime + index * 0.16;
      const note = audio.createOscillator();
      const loudness = audio.createGain();
      note.frequency.value = frequency;
      loudness.gain.setValueAtTime(0.0001, at);
      loudness.gain.exponentialRampToValueAtTime(0.2, at + 0.02);
      loudness.gain.exponentialRampToValueAtTime(0.0001, at + 0.22);
      note.connect(loudness).connect(audio.destination);
      note.start(at);
      note.stop(at + 0.25);
    });
  } catch { /* a desk without sound still has the tab, the title and the notification */ }
  hint();
}

// Browsers allow sound once somebody has pressed something on the page.
function unblock() {
  try {
    audio ??= new AudioContext();
    if (audio.state === "suspended") audio.resume().then(hint);
  } catch { /* no sound here at all */ }
  hint();
}

const sounds = { message: [660, 550], request: [523, 659, 784] };

function hint() {
  const blocked = !audio || audio.state === "suspended";
  for (const id of ["sound-hint", "sound-blocked"]) document.getElementById(id)?.toggleAttribute("hidden", !blocked);
}

let asked = null; // the request that has been announced
let ringing = 0;

function ring() {
  const tab = document.querySelector(".tab.request");
  if (tab?.id === asked) return;
  clearInterval(ringing);
  asked = tab?.id ?? null;
  document.getElementById("announce").textContent = "";
  if (!tab) return;
  document.getElementById("announce").textContent = tab.dataset.said;
  const sound = () => muted("requests") || play(sounds.request);
  sound();
  ringing = setInterval(sound, 4_000);
  if (document.hidden && globalThis.Notification?.permission === "granted") {
    const note = new Notification(document.getElementById("announce").dataset.request, { tag: "balie-request" });
    note.onclick = () => { focus(); note.close(); };
  }
  if (!typing() && !selected()?.dataset.chat) select(tab);
}

const typing = () => document.activeElement?.matches?.("textarea, input, select, [contenteditable]");

document.addEventListener("thread:grown", ({ detail }) => {
  const fresh = detail.added.some((item) => item.classList.contains("from-visitor"));
  const typing = document.getElementById(`typing-${detail.thread.id.slice(7)}`);
  const said = detail.added.map((item) => item.querySelector(".author")?.textContent).filter(Boolean);
  if (fresh || said.some((name) => typing?.textContent.startsWith(name))) typing?.replaceChildren(); // it has come
  mark();
  dropWithdrawals(Date.now() + skew);
  if (fresh && !muted("messages") && (document.hidden || !detail.thread.closest("[data-live]"))) play(sounds.message);
  sawNew();
});

// ---- controls --------------------------------------------------------------------------------------------------------

const acts = {
  "test-sound": () => play(sounds.request),
  "mute-requests": () => mute("requests"),
  "mute-messages": () => mute("messages"),
  notify: () => globalThis.Notification?.requestPermission(),
};

function mute(what) {
  keep(`mute.${what}`, muted(what) ? null : true);
  showMuted();
}

function showMuted() {
  for (const what of ["requests", "messages"]) document.querySelector(`[data-act=mute-${what}]`)?.setAttribute("aria-pressed", !muted(what));
}

document.addEventListener("click", (event) => {
  acts[event.target.closest?.("[data-act]")?.dataset.act]?.();
  if (event.target.closest?.("[data-retry]")) outbox.retry();
  if (event.target.closest?.("[data-close-dialog]")) ask.close();
});
for (const pressed of ["pointerup", "keyup"]) document.addEventListener(pressed, unblock);

const ask = document.getElementById("ask");
ask?.addEventListener("close", () => document.getElementById("ask-body").replaceChildren());

// What has been said before one is asked, too, stays where its reader is.
document.addEventListener("scroll", ({ target }) => { if (target.classList?.contains("so-far")) target.readHigher = !readersPlace(target); }, true);

document.addEventListener("session:again", () => outbox.retry());

// ---- after each swap, and every second -------------------------------------------------------------------------------

function settle() {
  if (!console_) return;
  const question = ask.querySelector("[data-ask]:not([data-live])"); // each is put once
  if (question && !ask.open) ask.showModal();
  question?.setAttribute("data-live", "");
  reselect();
  restore();
  for (const box of all(".so-far")) if (!box.readHigher) box.scrollTop = box.scrollHeight;
  mark();
  tick();
  count();
  sayUnread();
  ring();
}

if (console_) {
  textBars({
    send,
    typed: (form) => isPrivate(form) || fetch(`/chats/${form.dataset.chat}/typing`, { method: "POST", headers: headers() }).catch(() => {}),
    keep: (form, text) => keep(draftOf(form, isPrivate(form)), text),
  });
  watchLine({
    beat: "/console/beat",
    headers,
    changed: (down) => {
      document.documentElement.classList.toggle("line-down", down);
      document.getElementById("line-lost").hidden = !down;
      if (!down) outbox.retry();
    },
  });
  document.addEventListener("stopped", async ({ detail }) => {
    if (detail.data === "signed_out") { // of the session that the stream began with: by now there may be another
      const request = { method: "POST", headers: headers(), body: new URLSearchParams({ beat: "none" }) };
      const answer = await fetch("/console/beat", request).catch(() => null);
      if (answer?.status === 401) document.getElementById("sign-in-again").setAttribute("data-needed", "");
    }
    signIn();
  });
  document.addEventListener("htmx:sse:error", ({ detail }) => {
    if (detail.status !== 401) return;
    document.getElementById("sign-in-again").setAttribute("data-needed", "");
    signIn();
  });
  document.addEventListener("visibilitychange", sawNew);
  addEventListener("focus", sawNew);
  addEventListener("beforeunload", (event) => {
    if (!goingToSignIn && all("#panels .chat-head:not([data-state=ended])").length) event.preventDefault();
  });
  setInterval(tick, 1_000);
  showMuted();
  hint();
  settle();
}
document.addEventListener("htmx:after:swap", settle);
