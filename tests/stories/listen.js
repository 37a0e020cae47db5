// From now on, in `heard`: which elements came into a log and left it, and what live regions said, how urgently.
() => {
  const URGENCY = { log: "polite", status: "polite", alert: "assertive" };
  const urgency = (each) => each.getAttribute("aria-live") ?? URGENCY[each.getAttribute("role")];
  const region = (node) => {
    for (let each = node; each?.getAttribute; each = each.parentElement) if (urgency(each)) return each;
  };
  const element = (node) => (node.nodeType === Node.TEXT_NODE ? node.parentElement : node);
  const heard = (globalThis.heard = { added: [], removed: [], said: [] });
  const say = (node) => {
    const live = element(node)?.checkVisibility?.() && region(element(node));
    const words = (node.innerText ?? node.textContent).replace(/\s+/g, " ").trim();
    if (live && urgency(live) !== "off" && words)
      heard.said.push({ how: urgency(live), where: live.id || live.getAttribute("role"), words });
  };
  new MutationObserver((changes) => {
    for (const { type, target, addedNodes, removedNodes, attributeName } of changes) {
      if (type === "characterData") say(target);
      if (attributeName === "hidden" && !target.hidden) say(target);
      if (attributeName === "class" && target.matches(".message.failed")) say(target.querySelector(".unsent"));
      for (const node of addedNodes) {
        if (node.matches?.("[role=log] li")) heard.added.push(node.id);
        say(node);
      }
      for (const node of removedNodes)
        if (node.matches?.("li.message") && target.closest?.("[role=log]")) heard.removed.push(node.id);
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true, attributeFilter: ["hidden", "class"] });
}
