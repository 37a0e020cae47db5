"""What a person sees: a page, kept up to date the way the browser does it."""

from selectolax.lexbor import LexborHTMLParser, LexborNode

UNSEEN = "[hidden], template, script, style, head, dialog:not([open]), [popover]"


class Screen:
    """A page, and what responses and live updates have swapped into it."""

    def __init__(self, html: str = "") -> None:
        self.show(html)

    def show(self, html: str) -> None:
        self.tree = LexborHTMLParser(html)

    def apply(self, html: str) -> None:
        """Do what htmx does with each <hx-partial>. One whose target is not on the page changes nothing."""
        for partial in LexborHTMLParser(html).css("hx-partial"):
            target = self.tree.css_first(str(partial.attributes["hx-target"]))
            if target is not None:
                swap(target, partial, str(partial.attributes.get("hx-swap") or "outerMorph").split()[0])

    def css(self, selector: str) -> list[LexborNode]:
        return self.tree.css(selector)

    def first(self, selector: str) -> LexborNode:
        node = self.tree.css_first(selector)
        assert node is not None, f"{selector} is not on this page:\n{self.tree.html}"
        return node

    def has(self, selector: str) -> bool:
        return self.tree.css_first(selector) is not None

    def text(self, selector: str = "body") -> str:
        """What can be read there, with single spaces."""
        return words(self.first(selector))

    def texts(self, selector: str) -> list[str]:
        return [words(node) for node in self.css(selector)]


def words(node: LexborNode) -> str:
    shown = node.clone()
    for unseen in shown.css(UNSEEN):
        unseen.decompose()
    return " ".join(shown.text(separator=" ").split())


def swap(target: LexborNode, partial: LexborNode, how: str) -> None:
    if how.endswith("Morph"):
        keep_what_is_skipped(target, partial)
    new = list(partial.iter(include_text=True))
    if how == "thread":
        for item in list(partial.iter()):
            put_in_order(target, item)
    elif how == "delete":
        target.decompose()
    elif how.startswith("outer"):
        for node in new:
            target.insert_before(node)
        target.decompose()
    elif how in ("beforeend", "append"):
        for node in new:
            target.insert_child(node)
    else:
        assert how.startswith("inner"), f"tests do not know hx-swap={how}"
        for node in list(target.iter(include_text=True)):
            node.decompose()
        for node in new:
            target.insert_child(node)


def keep_what_is_skipped(target: LexborNode, partial: LexborNode) -> None:
    """What a morph leaves alone stays as it was: the threads, which only grow."""
    for new in partial.css("[hx-morph-skip][id], [hx-morph-skip-children][id]"):
        for old in target.css(f"[id='{new.attributes['id']}']"):
            new.replace_with(old)


def put_in_order(thread: LexborNode, item: LexborNode) -> None:
    """The house swap: an id that is there is replaced, another goes where its number belongs, or last."""
    for old in thread.iter():
        if old.attributes.get("id") == item.attributes.get("id"):
            old.replace_with(item)
            return
    for old in thread.iter():
        if number(old) > number(item):
            old.insert_before(item)
            return
    thread.insert_child(item)


def number(item: LexborNode) -> float:
    return float(item.attributes.get("data-seq") or "inf")
