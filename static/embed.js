/* Balie's button: <script async src="https://…/embed.js" data-widget="key" data-lang="nl"></script>
Balie.open(), .close(), .identify(token, or a function for one)

The frame gets ?lang, #act (press, look, resume), token, origin, page. Between exact origins it posts {balie: …}
  ready, started, ended, gone, unread {count}, keep {name, value}, minimise, closed, forget, again, info, warn {text}
and we hello {kept, visible, focus, jwt}, show {focus}, hide; to the info card, green {green}. */
(() => {
  const tag = document.currentScript;
  const key = tag?.dataset.widget;
  if (!key || window.Balie) return;
  const base = new URL("widget/" + encodeURIComponent(key), tag.src);
  const store = "balie." + key;
  let texts, fallback, info, green, away; // 1 = no line, 2 = no frame
  let status, timer, pressed, tries = 0;
  let frame, card, going, token, started, ready, shown, focus, busy, late, unread, vouched, identity;

  const make = (name, parent, space = "1999/xhtml") => parent.appendChild(document.createElementNS("http://www.w3.org/" + space, name));
  const host = make("div", document.documentElement); // some sites replace their body
  const root = host.attachShadow({ mode: "open" });
  const button = make("button", root);
  const svg = make("svg", button, "2000/svg");
  const icon = make("path", svg, "2000/svg");
  const label = make("span", button);
  const badge = make("b", button);
  const said = make("p", root);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
:host{all:initial!important;display:block!important;direction:ltr!important;color-scheme:light dark!important;
--paper:#fff;--ink:#1b2430;--green:#1a7f3c;--blue:#0b5cad}
button,iframe{box-sizing:border-box;position:fixed;z-index:2147483647;right:max(16px,env(safe-area-inset-right));bottom:max(16px,env(safe-area-inset-bottom));box-shadow:0 2px 12px #0005}
button{display:flex;align-items:center;gap:10px;max-width:calc(100vw - 32px);min-height:48px;padding:10px 18px;border:2px solid var(--paper);border-radius:24px;background:var(--ink);color:var(--paper);font:600 15px/1.35 "Segoe UI",-apple-system,Roboto,Arial,sans-serif;text-align:start;cursor:pointer}
button:hover{text-decoration:underline}
button:focus-visible{outline:3px solid var(--blue);outline-offset:2px}
.green{background:var(--green)}
.info{background:var(--blue)}
svg{flex:none;width:22px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
b{padding:0 7px;border-radius:12px;background:var(--paper);color:var(--ink)}
b:empty,[hidden]{display:none}
p{position:fixed;clip-path:inset(50%)}
iframe{width:400px;height:640px;max-height:calc(100dvh - 32px);border:0;border-radius:14px;background:var(--paper);visibility:hidden}
.shown{visibility:visible}
@media(prefers-color-scheme:dark){:host{--paper:#131a22;--ink:#e8edf3;--green:#4cc26f;--blue:#6db3f8}}
@media(max-width:480px),(max-height:480px){iframe{inset:0;width:100%;height:100dvh;max-height:none;border-radius:0}}
@media(forced-colors:active){iframe,b{border:1px solid}}
@media print{:host{display:none!important}}`);
  root.adoptedStyleSheets = [sheet];
  button.type = "button";
  button.hidden = true;
  button.onclick = press;
  svg.ariaHidden = badge.ariaHidden = true;
  svg.setAttribute("viewBox", "0 0 24 24");
  said.role = "status";
  host.popover = "manual"; // above all, whatever the host page transforms
  host.showPopover?.();

  const ICONS = {
    green: "M8 20A9 9 0 1 0 4 16L2 22ZM8 12h.01M12 12h.01M16 12h.01",
    info: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20ZM12 16v-4M12 8h.01",
    back: "M8 20A9 9 0 1 0 4 16L2 22ZM11 15l-3-3 3-3M8 12h8",
    away: "M3 12a9 9 0 1 0 9-9 10 10 0 0 0-7 3L3 8M3 3v5h5",
    wait: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20ZM12 6v6l4 2",
  };

  function language() {
    const wanted = (tag.dataset.lang || document.documentElement.lang).slice(0, 2).toLowerCase();
    return texts[wanted] ? wanted : fallback;
  }

  function draw() {
    if (!texts) return;
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
    if (news.texts) ({ texts, info, language: fallback, style: host.style.cssText } = news);
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
    else if (away) ask();
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
    if (frame) frame.remove();
    frame = card = going = started = ready = shown = busy = unread = vouched = 0;
  }

  function leave() {
    drop();
    follow();
    button.focus();
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
    shown = 0;
    save({ open: 0 });
    draw();
    post("hide");
    button.focus();
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
      post("hello", { kept: read()?.kept, visible: shown, focus, jwt: jwt && "" + jwt });
      if (card) post("green", { green });
      if (shown) show(focus);
      draw();
    },
    started() {
      if (started) return;
      started = 1;
      if (read()?.token !== token) write({ token });
      save({ open: shown });
    },
    ended: () => save({ ended: Date.now(), kept: {} }),
    gone() {
      erase();
      drop();
      follow();
    },
    unread({ count }) {
      unread = count;
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

  addEventListener("storage", ({ key }) => {
    if (key && key !== store) return;
    const record = read(), visible = shown;
    if (record ? !card && !started && !record.ended && record.token !== token : started) drop(); // another tab did
    resume(visible, 0);
    follow();
  });

  addEventListener("visibilitychange", follow);
  window.Balie = { open: press, close: () => shown && hide(), identify: (given) => { identity = given; } };
  follow();
})();
