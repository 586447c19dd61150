"""What a person reads on a page: its tables, tiles and lists, without their markup."""

from collections.abc import Iterator

from django.test.html import Element, parse_html


def _within(element: Element, name: str, css_class: str = "") -> Iterator[Element]:
    for child in element.children:
        if isinstance(child, Element):
            if child.name == name and css_class in f" {dict(child.attributes).get('class', '')} ".split(" "):
                yield child
            yield from _within(child, name, css_class)


def text_of(element: Element) -> str:
    """The words of an element, with single spaces between them."""
    words = [each if isinstance(each, str) else text_of(each) for each in element.children]
    return " ".join(" ".join(words).split())


def _page(html: bytes) -> Element:
    # Its body alone: the parser knows elements that need no end, but no document types.
    text = html.decode()
    return parse_html(text[text.index("<main") : text.index("</main>") + len("</main>")] if "<main" in text else text)


def rows_shown(html: bytes, heading: str) -> dict[str, dict[str, str]]:
    """The rows of the first table with this heading, by what stands in that column; cells by heading."""
    for table in _within(_page(html), "table"):
        headings, *rows = [[text_of(cell) for cell in _cells(row)] for row in _within(table, "tr")]
        if heading in headings:
            column = headings.index(heading)
            return {row[column]: dict(zip(headings, row, strict=False)) for row in rows if len(row) > column}
    raise AssertionError(f"no table with {heading}")


def _cells(row: Element) -> list[Element]:
    return [each for each in row.children if isinstance(each, Element) and each.name in ("th", "td")]


def tiles_shown(html: bytes) -> dict[str, tuple[str, str]]:
    """The tiles of a page by their label: value and note."""
    return {text_of(label): (text_of(value), text_of(note)) for label, value, note in _tiles(_page(html))}


def _tiles(page: Element) -> Iterator[tuple[Element, Element, Element]]:
    parts = [list(_within(page, "span", f"tile-{part}")) for part in ("label", "value", "note")]
    return zip(*parts, strict=True)


def items_shown(html: bytes) -> list[str]:
    """The items of a page's lists."""
    return [text_of(item) for item in _within(_page(html), "li")]
