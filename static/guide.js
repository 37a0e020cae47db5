// The guide for developers: what can be copied; and what was found in a token gets the focus.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy]");
  if (!button) return;
  const words = button.querySelector("span");
  const before = button.dataset.words ??= words.textContent;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    words.textContent = button.dataset.copied;
  } catch {
    getSelection().selectAllChildren(source); // the page may not: then by hand
  }
  setTimeout(() => { words.textContent = before; }, 2_000);
});

document.addEventListener("htmx:after:swap", () => {
  const wrong = document.querySelector("#check [aria-invalid]");
  const found = wrong ?? document.querySelector("#checked:has(h2)");
  found?.focus();
});
