// A house style as it will be: its tokens, saved or not, on what the page draws and on the windows in frames.
(() => {
  function paint() {
    const preview = document.getElementById("preview");
    if (!preview) return;
    const scheme = document.getElementById("preview_scheme").value;
    const frames = [...preview.querySelectorAll("iframe")];
    for (const root of [preview, ...frames.map((frame) => frame.contentDocument?.documentElement)]) {
      if (!root) continue;
      root.dataset.scheme = scheme;
      for (const [name, value] of Object.entries(JSON.parse(preview.dataset.tokens))) root.style.setProperty(name, value);
    }
    for (const frame of frames) frame.onload = paint;
  }
  document.addEventListener("change", ({ target }) => { if (target.matches?.("#preview_scheme")) paint(); });
  document.addEventListener("htmx:after:swap", paint);
  paint();
})();
