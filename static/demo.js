// The example site tells the chat who is signed in, as a real one would: with a token fetched at the press.
"use strict";

const { citizen } = document.currentScript.dataset;
(window.Balie = window.Balie || []).push(() => {
  Balie.identify(async () => (await fetch(`/demo/token?citizen=${encodeURIComponent(citizen)}`)).text());
});
