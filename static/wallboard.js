// A screen on the wall: says so when its figures are old, because nobody is there to press anything.
"use strict";

const OLD_MS = 20_000;
let heardAt = Date.now();

document.addEventListener("htmx:after:swap", () => { heardAt = Date.now(); });
setInterval(() => { document.getElementById("board-old").hidden = Date.now() - heardAt < OLD_MS; }, 1_000);
