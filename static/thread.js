// The thread of a chat, on both sides: the swap that keeps messages in order, the outbox that sends each of them once,
// the line that tells whether we are connected, and the reader's place. window.js and console.js say where and how.
"use strict";

const BEAT_MS = 15_000;
const LONGEST = 4_000; // characters; counted aloud from:
const COUNTED_FROM = 3_500;

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const freshKey = (bytes = 12) =>
  btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes)))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// ---- the swap: an id that exists is morphed, a new one goes in by its number, what is not sent yet stays last --------

const threadSwap = {
  init: (api) => { threadSwap.api = api; },
  handle_swap(style, target, fragment) {
    if (style !== "thread") return false;
    const place = readersPlace(target);
    const added = [];
    for (const item of [...fragment.children]) {
      const old = document.getElementById(item.id);
      if (old) update(target, old, item);
      else {
        written.set(item, item.outerHTML);
        target.insertBefore(item, successor(target, item));
        added.push(item);
      }
    }
    keepPlace(target, place, added);
    document.dispatchEvent(new CustomEvent("thread:grown", { detail: { thread: target, added } }));
    return added;
  },
};
htmx.registerExtension("thread", threadSwap);

// As the server wrote it: what comes again unchanged is left alone, whatever the browser has made of it, such as a
// translation; it would be announced a second time.
const written = new WeakMap();

function update(target, old, item) {
  const wasPending = !old.dataset.seq;
  const seq = item.dataset.seq;
  const html = item.outerHTML;
  const same = written.get(old) === html;
  written.set(old, html);
  if (!same && !old.isEqualNode(item)) {
    const box = document.createDocumentFragment();
    box.append(item);
    threadSwap.api.morph(old, box, false);
    htmx.process(old); // what it has got that can be pressed
  }
  if (wasPending) {
    const next = successor(target, { dataset: { seq } }, old);
    if (old.nextElementSibling !== next) target.insertBefore(old, next);
  }
}

function successor(target, item, except) {
  return [...target.children].find((li) => li !== except && (!li.dataset.seq || +li.dataset.seq > +item.dataset.seq)) ?? null;
}

// ---- the reader's place: at the end one stays at the end; higher up nothing moves, a button counts -------------------

const readersPlace = (thread) => thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80;

function keepPlace(thread, wasAtEnd, added) {
  if (wasAtEnd || added.some((item) => item.classList.contains("mine"))) toEnd(thread);
  else countNewer(thread, added.filter((item) => !item.classList.contains("event")).length);
}

function toEnd(thread) {
  thread.scrollTop = thread.scrollHeight;
  showNewer(thread, 0);
}

const newer = (thread) => thread.closest(".thread-frame")?.querySelector("[data-newer]");

function countNewer(thread, more) {
  const button = newer(thread);
  if (button && more) showNewer(thread, (+button.dataset.count || 0) + more);
}

function showNewer(thread, count) {
  const button = newer(thread);
  if (!button) return;
  button.dataset.count = count;
  button.hidden = !count;
  button.firstElementChild.textContent = count === 1 ? button.dataset.one : button.dataset.many.replace("{n}", count);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-newer]");
  if (!button) return;
  const thread = button.closest(".thread-frame").querySelector(".thread");
  toEnd(thread);
  thread.focus();
});
// A thread that shrinks, because the text bar grows or a phone's keyboard comes, keeps its end in sight.
const resized = new ResizeObserver((changes) => {
  for (const { target } of changes) if (target.atEnd !== false) target.scrollTop = target.scrollHeight;
});
document.addEventListener("htmx:after:swap", () => {
  for (const thread of all(".thread:not([data-live])")) {
    thread.dataset.live = "";
    for (const item of thread.children) written.set(item, item.outerHTML);
    resized.observe(thread);
  }
});
document.addEventListener("scroll", (event) => {
  if (event.target.classList?.contains("thread")) event.target.atEnd = readersPlace(event.target);
  if (event.target.classList?.contains("thread") && readersPlace(event.target)) showNewer(event.target, 0);
}, true);

// ---- the line: is our stream there, and does it beat? ----------------------------------------------------------------

const line = { down: false, heard: Date.now(), slow: 0 };

function watchLine({ beat, headers, changed }) {
  const stream = () => document.getElementById("stream");
  const ours = (event) => event.target.id === "stream";
  const up = () => { clearTimeout(line.slow); line.slow = 0; line.heard = Date.now(); set(false); };
  const down = () => { line.slow ||= setTimeout(() => set(true), 700); };
  function set(isDown) {
    if (line.down === isDown) return;
    line.down = isDown;
    changed(isDown);
  }
  const cut = () => stream()?._htmx?.sse?.reader?.cancel();

  document.addEventListener("htmx:sse:after:connection", (event) => ours(event) && up());
  document.addEventListener("htmx:sse:before:connection", (event) => ours(event) && event.detail.connection.attempt > 0 && down());
  for (const name of ["htmx:sse:error", "htmx:error", "htmx:response:error"])
    document.addEventListener(name, (event) => ours(event) && down());
  document.addEventListener("htmx:sse:before:message", (event) => { if (ours(event)) line.heard = Date.now(); });
  document.addEventListener("beat", async (event) => {
    if (!ours(event)) return;
    try {
      const answer = await fetch(beat, { method: "POST", headers: headers(), body: new URLSearchParams({ beat: event.detail.data }) });
      if (answer.status === 404) cut(); // we were given up: come back as somebody new
    } catch { /* the stream will notice */ }
  });
  setInterval(() => {
    if (!stream()?._htmx?.sse || Date.now() - line.heard < 2.4 * BEAT_MS) return;
    line.heard = Date.now();
    down();
    cut();
  }, 5_000);
  addEventListener("offline", down);
  addEventListener("online", () => { cut(); stream()?._htmx?.sse?.delayCanceller?.(); });
}

// ---- the outbox: a message is shown at once, kept until the server has it, and sent again by itself -------------------

class Outbox {
  // keep(name, value): something to survive a reload; null forgets it
  constructor({ keep }) {
    this.keep = keep;
    this.waiting = [];
  }

  add(item) {
    this.keep(`out.${item.key}`, item);
    this.show(item);
    this.waiting.push(item);
    this.work();
  }

  restore(item) {
    if (this.waiting.some((each) => each.key === item.key) || document.getElementById(`m-${item.key}`)?.dataset.seq) return;
    this.show(item);
    this.waiting.push(item);
    this.work();
  }

  show(item) {
    const thread = document.getElementById(item.thread);
    if (!thread || document.getElementById(`m-${item.key}`)) return;
    const bubble = document.getElementById(item.pending ?? "pending").content.cloneNode(true).firstElementChild;
    bubble.id = `m-${item.key}`;
    bubble.querySelector(".bubble").textContent = item.body || item.names;
    bubble.classList.toggle("grouped", Boolean(thread.lastElementChild?.classList.contains("mine")));
    thread.append(bubble);
    toEnd(thread);
  }

  async work() {
    if (this.working) return;
    this.working = true;
    for (let item; (item = this.waiting[0]); ) {
      const patience = setTimeout(() => this.mark(item, true), 5_000);
      const status = await post(item.url, { key: item.key, body: item.body, ...(item.files && { files: item.files }), ...(item.sure && { sure: item.sure }) });
      clearTimeout(patience);
      if (status && status < 500 && ![401, 403, 408, 429].includes(status)) this.done(item, status);
      else {
        this.mark(item, true);
        await this.pause(2_500);
        this.mark(item, false);
      }
    }
    this.working = false;
  }

  done(item, status) {
    this.waiting.shift();
    this.keep(`out.${item.key}`, null);
    if (status < 400) return;
    document.getElementById(`m-${item.key}`)?.remove(); // refused, with words: the text goes back to where it was typed
    document.dispatchEvent(new CustomEvent("outbox:refused", { detail: item }));
  }

  mark(item, failed) {
    document.getElementById(`m-${item.key}`)?.classList.toggle("failed", failed);
  }

  pause(ms) {
    return new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, ms); });
  }

  retry() {
    this.wake?.();
  }
}

// Status of the answer, whose fragments htmx has put where they belong; 0 if there was none. Each request has an element
// of its own, for htmx queues what comes from one element and drops what it thinks too much.
async function post(url, values = {}, method = "POST") {
  let status = 0;
  const source = document.body.appendChild(document.createElement("i"));
  source.hidden = true;
  const observed = (to, request) =>
    fetch(to, { ...request, signal: AbortSignal.timeout(20_000) }).then((answer) => { status = answer.status; return answer; });
  await htmx.ajax(method, url, { source, target: source, swap: "none", values, fetch: observed });
  source.remove();
  return status;
}

// ---- the text bar ----------------------------------------------------------------------------------------------------

// send(form, text, added, sure), typed(form), keep(form, text): what a bar does with what is written in it.
function textBars({ send, typed, keep }) {
  const barOf = (target) => target.closest?.("form.textbar");
  document.addEventListener("keydown", (event) => {
    const form = event.target.matches?.("form.textbar textarea") && barOf(event.target);
    if (!form || event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    const form = barOf(event.target);
    if (!form) return;
    event.preventDefault();
    event.stopPropagation();
    const area = form.elements.body;
    const text = area.value.replace(/\s+$/, "");
    const sure = event.submitter ? event.submitter.value : form.meant; // as it was before the files were there
    const later = sendLater(form);
    form.meant = later ? sure : "";
    if (later) return;
    if ((!text.trim() && !hasFiles(form)) || [...text].length > LONGEST) return area.focus();
    area.value = "";
    form.typedAt = 0;
    changed(form);
    keep(form, "");
    send(form, text, takeFiles(form), sure);
    area.focus();
  }, true);
  document.addEventListener("input", (event) => {
    const form = event.target.matches?.("form.textbar textarea") && barOf(event.target);
    if (!form) return;
    changed(form);
    keep(form, event.target.value);
    if (event.target.value && Date.now() - (form.typedAt ?? 0) > 3_000) {
      form.typedAt = Date.now();
      typed(form);
    }
  });
}

function changed(form) {
  const area = form.elements.body;
  const counter = form.querySelector("[data-counter]");
  const length = [...area.value].length;
  counter.hidden = length < COUNTED_FROM;
  counter.textContent = `${length.toLocaleString(document.documentElement.lang)} / ${LONGEST.toLocaleString(document.documentElement.lang)}`;
  counter.classList.toggle("over", length > LONGEST);
  if (!CSS.supports("field-sizing", "content")) area.rows = Math.min(5, area.value.split("\n").length);
}

function putBack(form, text) {
  const area = form.elements.body;
  if (!area.value.includes(text)) area.value = area.value ? `${text}\n${area.value}` : text;
  changed(form);
}

// ---- what passes by itself ---------------------------------------------------------------------------------------------

// A notice that says something went by, such as a request that came too late. Said again, it stays once, and longer.
document.addEventListener("htmx:after:swap", () => {
  for (const notice of all("[data-fades]:not([data-fading])")) {
    const same = all("[data-fading]").find((other) => other.textContent === notice.textContent);
    if (same) notice.remove();
    const staying = same ?? notice;
    staying.dataset.fading = "";
    clearTimeout(staying.fades);
    staying.fades = setTimeout(() => staying.remove(), 10_000);
  }
});
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-dismiss]")) event.target.closest(".notice").remove();
});

// "An is typing…" lasts as long as somebody goes on.
new MutationObserver((changes) => {
  for (const region of new Set(changes.map(({ target }) => (target.closest ? target : target.parentElement)?.closest(".typing")))) {
    if (!region) continue;
    clearTimeout(region.fading);
    if (region.textContent.trim()) region.fading = setTimeout(() => region.replaceChildren(), 6_000);
  }
}).observe(document.body, { subtree: true, childList: true, characterData: true });
