/* The info card in the window's frame: it can be closed, and says so when somebody is free. Words with embed.js: see there. */
(() => {
  const host = new URLSearchParams(location.hash.slice(1)).get("origin");
  document.documentElement.classList.toggle("alone", parent === window);
  if (parent === window || !host) return;
  history.replaceState(null, "", location.pathname + location.search);
  const by = (id) => document.getElementById(id);
  const post = (balie) => parent.postMessage({ balie }, host);

  by("close").hidden = false;
  by("close").addEventListener("click", () => post("minimise"));
  by("chat").addEventListener("click", (event) => {
    event.preventDefault();
    post("again");
  });
  addEventListener("keydown", (event) => event.key === "Escape" && post("minimise"));
  addEventListener("message", ({ source, origin, data }) => {
    if (source !== parent || origin !== host) return;
    if (data.balie === "show" && data.focus) by("title").focus();
    if (data.balie === "green") {
      by("chat").hidden = by("green").hidden = !data.green;
      by("blue").hidden = data.green;
    }
  });
  post("ready");
})();
