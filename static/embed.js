/* Balie's button. It goes out without its comments (features/embed.py).

<script async src="https://…/embed.js" data-widget="key" data-lang="nl" data-offset="72"></script>

For the host page, before or after this script is there:

  (window.Balie = window.Balie || []).push(() => { Balie.… });

  Balie.open()          as a press on the button
  Balie.close()         minimises the window
  Balie.identify(jwt)   who this is, signed; or a function that gives or fetches such a token at the press
  Balie.set({…})        what the page knows and nobody vouches for, for the form before the chat: name, email, subject
                        (its label or its number); language; offset: how many pixels the page needs for itself at the
                        bottom, "72", or also at the right, "72 24"

  balie:open, balie:close, balie:chat, balie:end, balie:unread (detail.count): events on window, which name nobody

One element, the last child of <html>, with an open shadow root; the global Balie; localStorage["balie.key"] from the
start of a chat until a week after it: {token, ended, open, kept}. No request but the status, which brings words and
style, until somebody presses; no element before it has come.

The frame gets ?lang, #act (press: just now; look: just now, but nobody is free; resume: start nothing), token, origin, page. Between exact origins
it posts {balie: …}
  ready, started, ended, gone, unread {count}, keep {name, value}, minimise, closed, forget, again, info, warn {text}
and we hello {kept, visible, focus, jwt, facts}, show {focus}, hide; to the info card, green {green}. */
(() => {
  const tag = document.currentScript;
  const key = tag?.dataset.widget;
  const early = window.Balie; // those who could not wait; or another script of ours
  if (!key || early?.identify) return;
  const base = new URL("widget/" + encodeURIComponent(key), tag.src);
  const store = "balie." + key;
  const facts = {};
  let texts, fallback, info, usual = "", green, away; // 1 = no line, 2 = no frame
  let status, timer, pressed, tries = 0;
  let frame, card, going, token, started, ready, shown, focus, busy, late, unread, vouched, identity, seen = false;

  const make = (name, parent, space = "1999/xhtml") => parent.appendChild(document.createElementNS("http://www.w3.org/" + space, name));
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  const button = make("button", root);
  const svg = make("svg", button, "2000/svg");
  const icon = make("path", svg, "2000/svg");
  const label = make("span", button);
  const badge = make("b", button);
  const said = make("p", root);
  const sheet = new CSSStyleSheet();
  root.adoptedStyleSheets = [sheet];
  button.type = "button";
  button.hidden = true;
  button.onclick = press;
  svg.ariaHidden = badge.ariaHidden = true;
  svg.setAttribute("viewBox", "0 0 24 24");
  said.role = "status";
  host.popover = "manual"; // above all, whatever the host page transforms

  const ICONS = {
    green: "M8 20A9 9 0 1 0 4 16L2 22ZM8 12h.01M12 12h.01M16 12h.01",
    info: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20ZM12 16v-4M12 8h.01",
    back: "M8 20A9 9 0 1 0 4 16L2 22ZM11 15l-3-3 3-3M8 12h8",
    away: "M3 12a9 9 0 1 0 9-9 10 10 0 0 0-7 3L3 8M3 3v5h5",
    wait: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20ZM12 6v6l4 2",
  };

  // ---- its place: behind the body, where few sites replace anything; and there again when one has done so

  const watcher = new MutationObserver(() => host.isConnected || setTimeout(attach));

  function attach() {
    for (const parent of [document, document.documentElement]) if (parent) watcher.observe(parent, { childList: true });
    if (!document.body || host.isConnected) return; // ahead of the body it would be the first stop of the Tab key
    document.documentElement.append(host);
    host.showPopover?.();
    if (frame) load(card ? "" : started ? "resume" : "press", shown, 0); // frames begin anew where they are put
  }

  // What is in sight: less than the page when a keyboard covers part of it; not when somebody enlarges a part of it.
  function place() {
    const [up, aside] = (facts.offset || tag.dataset.offset || usual).trim().split(/ +/);
    const { offsetTop: top, height: seen } = visualViewport.scale < 1.01 ? visualViewport : {};
    const sizes = { up, aside, top, seen };
    for (const name in sizes) {
      const pixels = parseFloat(sizes[name]);
      host.style.setProperty("--" + name, pixels >= 0 ? pixels + "px" : "");
    }
  }

  // ---- what it says

  function language() {
    const wanted = (facts.language || tag.dataset.lang || document.documentElement.lang).slice(0, 2).toLowerCase();
    return texts[wanted] ? wanted : fallback;
  }

  function draw() {
    if (!texts) return;
    place();
    const words = texts[language()];
    const look = busy ? "wait" : going ? "back" : away ? "away" : green ? "green" : "info";
    const news = unread ? words[unread > 1 ? "many" : "one"].replace("{n}", unread) : "";
    const say = news || (away || busy ? words[look] : "");
    host.lang = language();
    button.className = look;
    button.hidden = shown && ready;
    button.ariaLabel = news ? words[look] + ", " + news : null;
    icon.setAttribute("d", ICONS[look]);
    label.textContent = words[look];
    badge.textContent = unread || "";
    if (said.textContent !== say) said.textContent = say;
    if (frame) frame.className = shown && ready ? "shown" : "";
    if (seen !== (seen = !!(shown && ready))) tell(seen ? "open" : "close");
  }

  function tell(name, detail) {
    dispatchEvent(new CustomEvent("balie:" + name, { detail }));
  }

  // ---- the status: a stream, unless the window has its own or nobody looks

  function follow() {
    if (!status === !(!document.hidden && (!frame || card))) return draw();
    clearTimeout(timer);
    if (status) status = status.close();
    else {
      status = new EventSource(base + "/status");
      status.onmessage = hear;
      status.onerror = lost;
      timer = setTimeout(lost, 15e3);
    }
    draw();
  }

  function hear(event) {
    const news = JSON.parse(event.data);
    if (news.texts) {
      ({ texts, info, offset: usual, language: fallback, style: host.style.cssText } = news);
      sheet.replaceSync(news.sheet);
      attach();
    }
    green = news.green;
    tries = 0;
    if (away < 2) away = 0;
    clearTimeout(timer);
    timer = setTimeout(lost, 45e3); // it is repeated every 20 s
    if (pressed) pressed = busy = away = 0, press();
    else resume();
    if (card) post("green", { green });
    draw();
  }

  function lost() {
    clearTimeout(timer);
    status = status?.close();
    away ||= 1;
    pressed = busy = 0;
    timer = setTimeout(follow, Math.min(30, 2 ** tries++) * 1000 * (0.5 + Math.random()));
    draw();
  }

  function ask() {
    pressed = busy = 1;
    status = status?.close();
    follow();
  }

  // ---- the window

  function press() {
    if (frame) show(1);
    else if (resume(1));
    else if (away || !texts) ask();
    else if (!green && !identity) inform();
    else {
      token = crypto.getRandomValues(new Uint32Array(8)).join("-");
      load(green ? "press" : "look", 1, 1);
      vouched = Promise.race([
        (async () => (identity?.call ? identity() : identity))(),
        new Promise((_, fail) => setTimeout(fail, 4e3, "no answer in 4 s")),
      ]).catch((text) => verbs.warn({ text: "identify() failed: " + text }));
    }
  }

  function inform() {
    if (info) open(info, "_blank", "noopener");
    else load("", 1, 1);
  }

  function resume(visible, focused = visible) {
    const record = read();
    if (!texts || frame || document.hidden || !record || record.ended) return;
    token = record.token;
    load("resume", visible || (record.open && innerWidth > 480), focused);
    return 1;
  }

  function load(act, visible, focused) {
    drop();
    card = !act;
    going = act === "resume";
    shown = visible;
    focus = focused;
    frame = make("iframe", root);
    frame.title = texts[language()].title;
    frame.referrerPolicy = "origin";
    const { origin, pathname } = location; // no query: it may tell
    frame.src = base + (card ? "/info?lang=" : "?lang=") + language() + "#" + new URLSearchParams({ act, token, origin, page: origin + pathname });
    late = setTimeout(() => {
      busy = focus;
      late = setTimeout(() => {
        away = 2;
        drop();
        follow();
      }, 9700);
      draw();
    }, 300);
    follow();
  }

  function drop() {
    clearTimeout(late);
    if (unread) tell("unread", { count: 0 });
    if (frame) frame.remove();
    frame = card = going = started = ready = shown = busy = unread = vouched = 0;
  }

  function leave() {
    const held = root.activeElement;
    drop();
    follow();
    if (held) button.focus();
  }

  function show(focused) {
    shown = 1;
    focus = focused;
    if (!ready) return;
    save({ open: 1 });
    draw();
    if (focus) frame.focus();
    post("show", { focus });
  }

  function hide() {
    if (card) return leave();
    const held = root.activeElement; // the host page may close it while somebody types elsewhere
    shown = 0;
    save({ open: 0 });
    draw();
    post("hide");
    if (held) button.focus();
  }

  function post(balie, more) {
    if (ready) frame.contentWindow.postMessage({ balie, ...more }, base.origin);
  }

  const verbs = {
    async ready() {
      const asked = frame, jwt = await vouched;
      if (asked !== frame) return;
      clearTimeout(late);
      ready = 1;
      going = !card;
      busy = 0;
      post("hello", { kept: read()?.kept, visible: shown, focus, jwt: jwt && "" + jwt, facts });
      if (card) post("green", { green });
      if (shown) show(focus);
      draw();
    },
    started() {
      if (started) return;
      started = 1;
      if (read()?.token !== token) write({ token });
      save({ open: shown });
      tell("chat");
    },
    ended() {
      save({ ended: Date.now(), kept: {} });
      tell("end");
    },
    gone() {
      erase();
      drop();
      follow();
    },
    unread({ count }) {
      if (unread === (unread = count)) return;
      tell("unread", { count });
      draw();
    },
    keep: ({ name, value }) => save({ kept: { ...read()?.kept, [name]: value } }),
    minimise: hide,
    closed: leave,
    forget() {
      erase();
      leave();
    },
    again() {
      drop();
      ask();
    },
    info: inform,
    warn: ({ text }) => console.warn("Balie: " + text),
  };

  addEventListener("message", ({ source, origin, data }) => {
    if (frame && source === frame.contentWindow && origin === base.origin) verbs[data.balie]?.(data);
  });

  // ---- storage

  function read() {
    try {
      const record = JSON.parse(localStorage[store]);
      return record.ended < Date.now() - 7 * 864e5 ? write() : record;
    } catch {}
  }

  function write(record) {
    try {
      localStorage[store] = JSON.stringify(record);
      if (!record) delete localStorage[store];
    } catch {}
  }

  function save(news) {
    const record = read();
    if (started && record?.token === token) write({ ...record, ...news });
  }

  function erase() {
    if (read()?.token === token) write();
  }

  // Another tab did something; or this page comes back as it was left, which may be long ago and before somebody else.
  function look(again) {
    const record = read(), visible = shown;
    if (started ? again || !record : record && !card && !record.ended && record.token !== token) drop();
    resume(visible, 0);
    follow();
  }

  addEventListener("storage", (event) => (event.key || store) === store && look());
  addEventListener("pageshow", ({ persisted }) => persisted && look(1));
  addEventListener("visibilitychange", follow);
  for (const name of ["resize", "scroll"]) visualViewport.addEventListener(name, place);

  // ---- for the host page

  const KNOWN = { language: /^(\w\w|$)/, name: /^/, email: /@|^$/, subject: /^/, offset: /^[\d. ]*$/ };

  function set(given) {
    for (const name in given) {
      const value = given[name] ?? "";
      if (Object(value) !== value && KNOWN[name]?.test?.(value)) facts[name] = "" + value;
      else verbs.warn({ text: `set() cannot use ${name}: ${value}` });
    }
    draw();
  }

  window.Balie = {
    open: press,
    close: () => shown && hide(),
    identify: (given) => { identity = given; },
    set,
    push: (...calls) => calls.map((call) => setTimeout(call)), // whatever goes wrong in one is its own fault
  };
  follow();
  if (early?.map) Balie.push(...early);
})();
