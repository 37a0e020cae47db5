// Files to be sent: added with the button, dropped on the conversation or pasted; each has a row above the text bar, with
// its progress, until the message goes. headers() and keepFiles() are window.js's or console.js's.
"use strict";

const FILES_AT_MOST = 5;
const FILE_BYTES = 20 * 1024 * 1024;
const TRY_AGAIN_MS = 2_500;
const TRIES = 12;
const STILL_MS = 20_000;
const SHOWN = 100; // characters of the name of what is refused

const kit = document.getElementById("file-row");
const listOf = (form) => form.querySelector(form.classList.contains("private-mode") ? ".private-files" : ".public-files");
const coming = (list) => all(".file-row:not(.ready, .refused)", list);
const ready = (list) => all(".file-row.ready", list);

function addFiles(form, files) {
  const list = listOf(form);
  for (const row of all(".refused", list)) row.remove();
  for (const file of files) {
    if (coming(list).length + ready(list).length >= FILES_AT_MOST) refuse(list, kit.dataset.many, file);
    else if (file.size > FILE_BYTES) refuse(list, kit.dataset.large, file);
    else if (!file.size) refuse(list, kit.dataset.empty, file);
    else upload(list, file);
  }
  form.elements.body.focus();
}

const shortened = (name) => (name.length > SHOWN ? `${name.slice(0, SHOWN)}…` : name);

function refuse(list, words, file, row) {
  const refused = document.getElementById("file-refused").content.cloneNode(true).firstElementChild;
  refused.querySelector(".file-words").textContent = words.replace("{file}", () => shortened(file.name.replace(/\p{C}/gu, "")));
  put(list, row, refused);
}

// The text bar grows and shrinks: who reads the end of the conversation still does.
function keepingPlace(list, change) {
  const thread = document.getElementById(list.closest("form").dataset.thread);
  const atEnd = thread && readersPlace(thread);
  change();
  if (atEnd) toEnd(thread);
}

function put(list, row, fresh) {
  keepingPlace(list, () => (row ? row.replaceWith(fresh) : list.append(fresh)));
  fresh.scrollIntoView({ block: "nearest" });
  if (fresh.classList.contains("refused")) list.sending = false; // whoever waits for it wants to know first
  remember(list);
}

function sizeWords(bytes) {
  const [value, unit] = bytes >= 1024 ** 2 ? [bytes / 1024 ** 2, "megabyte"] : [Math.max(bytes / 1024, 0.1), "kilobyte"];
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

// ---- upload: fetch tells no progress, so this is the one place for an XMLHttpRequest ---------------------------------

function upload(list, file) {
  const row = kit.content.cloneNode(true).firstElementChild;
  const bar = row.querySelector("progress");
  const key = freshKey();
  row.querySelector(".file-name").textContent = file.name;
  row.querySelector(".file-size").textContent = sizeWords(file.size);
  bar.setAttribute("aria-label", `${bar.getAttribute("aria-label")} ${file.name}`);
  put(list, null, row);
  attempt(1);

  function attempt(n) {
    const request = (row.request = new XMLHttpRequest());
    request.open("POST", list.dataset.files);
    const own = { "X-Key": key, "X-Name": encodeURIComponent(file.name.replace(/\p{Surrogate}/gu, "")), "HX-Request": "true" };
    for (const [name, value] of Object.entries({ ...headers(), ...own, "Content-Type": "application/octet-stream" })) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => {
      if (loaded < total) bar.value = loaded / total;
      else bar.removeAttribute("value"); // it is being looked at
    };
    const again = (words) => (n < TRIES ? (row.waiting = setTimeout(attempt, TRY_AGAIN_MS, n + 1)) : refuse(list, words, file, row));
    request.onerror = () => again(kit.dataset.lost);
    request.onload = () => {
      if (request.status === 503) return again(kit.dataset.later);
      if (request.status >= 500 || [401, 403, 408].includes(request.status)) return again(kit.dataset.lost);
      const answer = document.createElement("template");
      answer.innerHTML = request.responseText;
      const fresh = answer.content.querySelector(".file-row");
      if (fresh) put(list, row, fresh);
      else refuse(list, request.status === 413 ? kit.dataset.large : kit.dataset.lost, file, row);
      settled(list);
    };
    request.send(file);
  }
}

function settled(list) {
  if (!list.sending || coming(list).length) return;
  list.sending = false;
  if (listOf(list.closest("form")) === list) list.closest("form").requestSubmit();
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("[data-remove-file]");
  if (!button) return;
  const row = button.closest(".file-row");
  const form = row.closest("form");
  row.request?.abort();
  clearTimeout(row.waiting);
  if (button.dataset.removeFile) fetch(button.dataset.removeFile, { method: "DELETE", headers: headers() }).catch(() => {});
  const list = row.parentElement;
  keepingPlace(list, () => row.remove());
  remember(list);
  settled(list);
  form.elements.body.focus();
});

// ---- with the message ------------------------------------------------------------------------------------------------

const hasFiles = (form) => ready(listOf(form)).length > 0;

// Still uploading: what was pressed happens as soon as all files are there.
function sendLater(form) {
  const list = listOf(form);
  list.sending = coming(list).length > 0;
  return list.sending;
}

function takeFiles(form) {
  const list = listOf(form);
  const rows = ready(list);
  if (!rows.length) return {};
  const files = rows.map((row) => row.dataset.ticket).join(" ");
  const names = rows.map((row) => row.querySelector(".file-name").textContent).join(", ");
  keepingPlace(list, () => rows.forEach((row) => row.remove()));
  remember(list);
  return { files, names, filesOf: list.dataset.files };
}

// The message was refused: those that are still there can go with the next.
document.addEventListener("outbox:refused", ({ detail }) => {
  const list = all(".files").find((each) => each.dataset.files === detail.filesOf);
  if (list) bringBack(list, detail.files);
});

// ---- what was added and not sent survives a reload: the page keeps the numbers, the server says which are there -------

const tickets = (list) => ready(list).map((row) => row.dataset.ticket);
const remember = (list) => keepFiles(list, [...new Set([...tickets(list), ...(list.awaited ?? [])])].join(" "));

async function bringBack(list, numbers, n = 1) {
  if (!numbers) return;
  list.awaited = [...new Set([...(list.awaited ?? []), ...numbers.split(" ")])];
  remember(list);
  const asked = `${list.dataset.files}?${new URLSearchParams({ ids: list.awaited.join(" ") })}`;
  const answer = await fetch(asked, { headers: headers() }).catch(() => null);
  if ((!answer || answer.status >= 500 || answer.status === 401) && n < TRIES) return setTimeout(bringBack, TRY_AGAIN_MS, list, numbers, n + 1);
  const fragment = document.createElement("template");
  if (answer?.ok) fragment.innerHTML = await answer.text();
  list.awaited = null;
  const fresh = [...fragment.content.children].filter((row) => !tickets(list).includes(row.dataset.ticket));
  keepingPlace(list, () => list.prepend(...fresh));
  remember(list);
}

// Who uploads is there, however long it takes; whatever stands between us and the server may keep that to itself.
setInterval(() => {
  if (all(".files").some((list) => coming(list).length)) document.dispatchEvent(new Event("files:coming"));
}, STILL_MS);

// ---- button, drop, paste ---------------------------------------------------------------------------------------------

document.addEventListener("click", ({ target }) => {
  const form = target.closest?.("[data-attach]")?.closest("form");
  form?.querySelector("[data-pick]").click();
});
document.addEventListener("change", ({ target }) => {
  if (!target.matches?.("[data-pick]")) return;
  addFiles(target.closest("form"), [...target.files]);
  target.value = "";
});

const conversationAt = (target) => {
  const conversation = target.closest?.(".conversation");
  return conversation?.querySelector("form.textbar")?.offsetParent ? conversation : null;
};
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

function light(conversation) {
  for (const each of all(".conversation.dropping")) if (each !== conversation) each.classList.remove("dropping");
  conversation?.classList.add("dropping");
}

document.addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault(); // or the browser would leave the page for the file
  const conversation = conversationAt(event.target);
  event.dataTransfer.dropEffect = conversation ? "copy" : "none";
  light(conversation);
});
document.addEventListener("dragleave", (event) => event.relatedTarget || light(null));
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  light(null);
  const form = conversationAt(event.target)?.querySelector("form.textbar");
  if (form) addFiles(form, [...event.dataTransfer.files]);
});

// Word and the like put a picture of the text beside it: then the text is meant.
document.addEventListener("paste", (event) => {
  const form = event.target.closest?.("form.textbar");
  const { clipboardData } = event;
  if (!form || !clipboardData?.files.length || clipboardData.getData("text/plain")) return;
  const page = new DOMParser().parseFromString(clipboardData.getData("text/html"), "text/html");
  if (page.body.textContent.trim()) return;
  event.preventDefault();
  addFiles(form, [...clipboardData.files]);
});
