"""Every page: what axe and a ruler can judge of it, by whoever may see most."""

import re
import time
from tests.stories.conftest import Browsers, check_accessibility
from tests.stories.test_log import admin_at
from tests.stories import ruler

def test_walk(browsers: Browsers) -> None:
    page = admin_at(browsers, '/settings/queues')
    queue = ["/settings", "/demo", "/console", "/widget/voorbeeld", "/widget/voorbeeld/info", "/nowhere", "/settings/start"]
    seen = set()
    titles = {}
    while queue:
        path = queue.pop(0)
        key = re.sub(r"\d+", "N", path)
        if key in seen: continue
        seen.add(key)
        t=time.monotonic()
        page.set_viewport_size({"width":1280,"height":720})
        r=page.goto(path)
        title=page.title()
        titles.setdefault(title, []).append(path)
        for href in page.eval_on_selector_all("a[href]:not([download])", "all => all.map(e => e.getAttribute('href'))"):
            if href.startswith("/") and not re.search(r"/(export|csv|pdf|table|file)", href): queue.append(href.split("#")[0].split("?")[0])
        out = {}
        page.wait_for_timeout(100)
        def add(name, f):
            t=time.monotonic()
            try: x=f()
            except AssertionError as e: x=str(e)[:1500]
            if x: out[name]=x
            times.append(f"{name} {time.monotonic()-t:.2f}")
        times=[]
        add("structure", lambda: ruler.structure(page))
        add("small", lambda: ruler.small(page))
        page.keyboard.press("Tab")
        add("focus", lambda: ruler.unseen_focus(page))
        page.set_viewport_size({"width":320,"height":256})
        add("cut320", lambda: ruler.cut(page))
        add("small320", lambda: ruler.small(page))
        page.keyboard.press("Tab")
        add("focus320", lambda: ruler.unseen_focus(page))
        page.set_viewport_size({"width":1280,"height":720})
        page.add_style_tag(content=ruler.SPACING) if False else page.evaluate("css => { const s = new CSSStyleSheet(); s.replaceSync(css); document.adoptedStyleSheets = [s]; }", ruler.SPACING)
        add("cut", lambda: ruler.cut(page))
        print("PAGE", r.status, path, "|", title, "|", times)
        for k,v in out.items(): print("   !!", k, v if isinstance(v,str) else "\n        ".join(map(str,v[:12])))
    print([x for x in titles.items() if len(x[1])>1])
