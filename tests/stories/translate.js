// Into capitals, as Chrome's translation does it, so that a test can read what it has become.
() => {
  const SPARED = "[translate=no], script, style, textarea, title, svg, template, font";
  const translated = (text) => {
    if (!text.data.trim() || !text.parentElement || text.parentElement.closest(SPARED)) return;
    const outer = document.createElement("font");
    const inner = document.createElement("font");
    inner.textContent = text.data.toUpperCase();
    outer.append(inner);
    text.replaceWith(outer);
  };
  const all = (root) => {
    const texts = root.nodeType === Node.TEXT_NODE ? [root] : [];
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) texts.push(walk.currentNode);
    texts.forEach(translated);
  };
  document.documentElement.lang = "tr";
  document.documentElement.classList.add("translated-ltr");
  all(document.body);
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes)
      for (const node of [...addedNodes, target]) if (node.isConnected) all(node);
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}
