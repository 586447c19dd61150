"""The OpenAPI document as pages of Markdown: one for each of its tags, with every operation, field and answer.

Pages rather than a viewer's script: they are found by the site's search, printed, and read without JavaScript.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]

PREFIX = "/api/v1"
# Deeper fields are left to the document itself; nothing of ours is.
DEPTH = 5
# Who searches for a word wants the page that explains it first, and the fields that have it in them after that.
BEHIND_THE_GUIDES = ["---", "search:", "  boost: 0.1", "---", ""]
METHODS = ("get", "post", "put", "patch", "delete")
CREDENTIALS = {"accessToken": "an access token", "apiKey": "an API key"}
ORDER = (
    "Producing",
    "Reading",
    "Consumer groups",
    "Lease mode",
    "Dead letters",
    "Streams",
    "Schemas",
    "API keys",
    "Teams",
    "Authentication",
    "Alerts",
    "Audit trail",
)


class Operation(NamedTuple):
    method: str
    address: str
    definition: Json

    @property
    def title(self) -> str:
        return f"{self.method} {self.address}"

    @property
    def short_title(self) -> str:
        """What tells it from its neighbours: the address begins alike on most of a page."""
        parts = self.address.strip("/").split("/")
        beginning = "…/" if len(parts) > 2 else "/"
        return f"{self.method} {beginning}{'/'.join(parts[-2:])}"

    @property
    def anchor(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


class Page(NamedTuple):
    name: str
    markdown: str


def pages_of(document: Json) -> list[Page]:
    """One page that leads to all the others, and one for each tag, in the order in which somebody new needs them."""
    by_tag: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, definition in methods.items():
            if method in METHODS:
                operation = Operation(method.upper(), path.removeprefix(PREFIX), definition)
                by_tag.setdefault(definition["tags"][0], []).append(operation)
    tags = sorted(by_tag, key=lambda tag: (ORDER.index(tag) if tag in ORDER else len(ORDER), tag))
    front = _front({tag: by_tag[tag] for tag in tags})
    return [Page("index.md", front), *(Page(_file_name(tag), _page(document, tag, by_tag[tag])) for tag in tags)]


def _file_name(tag: str) -> str:
    return f"{re.sub(r'[^a-z]+', '-', tag.lower())}.md"


def _front(by_tag: dict[str, list[Operation]]) -> str:
    lines = [
        *BEHIND_THE_GUIDES,
        "# API reference",
        "",
        "Every operation of the API, made from its OpenAPI document, which is here [as JSON](openapi.json) too.",
        f"Addresses begin with `{PREFIX}`. A running server has the same, to try out, at `{PREFIX}/docs`.",
        "How the pieces go together is told in the [API guide](../api.md).",
        "",
    ]
    for tag, operations in by_tag.items():
        lines += [f"## {tag}", "", "| operation | does |", "|---|---|"]
        for each in operations:
            lines.append(f"| [`{each.title}`]({_file_name(tag)}#{each.anchor}) | {_first_sentence(each.definition)} |")
        lines.append("")
    return "\n".join(lines)


def _page(document: Json, tag: str, operations: list[Operation]) -> str:
    lines = [*BEHIND_THE_GUIDES, f"# {tag}", ""]
    for each in operations:
        attributes = f'#{each.anchor} data-toc-label="{each.short_title}"'
        lines += [f"## `{each.title}` {{ {attributes} }}", "", each.definition.get("description", ""), ""]
        lines += [_who(each.definition), ""]
        lines += _parameters(document, each.definition)
        lines += _body(document, each.definition)
        lines += _answers(document, each.definition)
    return "\n".join(lines)


def _first_sentence(operation: Json) -> str:
    text = _cell(operation.get("description", ""))
    return re.split(r"(?<=\.) ", text, maxsplit=1)[0]


def _who(operation: Json) -> str:
    ways = [CREDENTIALS[name] for way in operation.get("security", ()) for name in way]
    return f"*Takes {' or '.join(ways)}.*" if ways else "*Takes no credentials.*"


def _parameters(document: Json, operation: Json) -> list[str]:
    rows = [
        (f"`{each['name']}`", each["in"], _type(document, each["schema"]), _about(each, each.get("required", False)))
        for place in ("path", "query", "header")
        for each in operation.get("parameters", ())
        if each["in"] == place
    ]
    return _table(("parameter", "in", "type", "meaning"), rows)


def _body(document: Json, operation: Json) -> list[str]:
    content: Json = operation.get("requestBody", {}).get("content", {})
    if not content:
        return []
    lines = [f"**Body**: {_kinds(content)}", ""]
    if "application/json" in content:
        lines += _fields_table(document, content["application/json"]["schema"])
    return lines


def _answers(document: Json, operation: Json) -> list[str]:
    lines: list[str] = []
    refusals: list[str] = []
    for status, answer in sorted(operation["responses"].items()):
        content: Json = answer.get("content", {})
        if "application/problem+json" in content:
            refusals.append(status)
            continue
        said = [part for part in (_cell(answer.get("description", "")), _kinds(content)) if part]
        lines += [f"**{status}** {' '.join(said)}".rstrip(), ""]
        headers = [
            (f"`{name}`", _type(document, each["schema"]), _cell(each.get("description", "")))
            for name, each in answer.get("headers", {}).items()
        ]
        lines += _table(("header", "type", "meaning"), headers)
        if "application/json" in content:
            lines += _fields_table(document, content["application/json"]["schema"])
    if refusals:
        lines += [f"**Refused** with {', '.join(refusals)}: [problems](../problems.md).", ""]
    return lines


def _kinds(content: Json) -> str:
    return ", ".join(f"`{kind}`" for kind in content)


def _fields_table(document: Json, schema: Json) -> list[str]:
    rows = [(f"`{name}`", kind, about) for name, kind, about in _fields(document, schema, "", DEPTH)]
    return _table(("field", "type", "meaning"), rows) if rows else [_type(document, schema), ""]


def _fields(document: Json, schema: Json, prefix: str, depth: int) -> Iterator[tuple[str, str, str]]:
    schema = _resolved(document, schema)
    if "items" in schema:
        yield from _fields(document, schema["items"], f"{prefix}[]", depth)
    for each in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from _fields(document, each, prefix, depth)
    if not depth:
        return
    required = set(schema.get("required", ()))
    for name, inner in schema.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        yield path, _type(document, inner), _about(_resolved(document, inner) | inner, name in required)
        yield from _fields(document, inner, path, depth - 1)


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if len(schema.get("allOf", ())) == 1:
        return _resolved(document, schema["allOf"][0]) | {key: value for key, value in schema.items() if key != "allOf"}
    return schema


def _type(document: Json, schema: Json) -> str:
    schema = _resolved(document, schema)
    choices = schema.get("oneOf") or schema.get("anyOf")
    if "enum" in schema:
        text = ", ".join(f"`{each}`" for each in schema["enum"] if each is not None)
    elif choices:
        text = " or ".join(dict.fromkeys(_type(document, each) for each in choices))
    elif "items" in schema:
        text = f"list of {_type(document, schema['items'])}"
    else:
        text = "time" if schema.get("format") == "date-time" else schema.get("type", "any JSON")
    bounds = _bounds(schema)
    return f"{text}{bounds}{' or null' if schema.get('nullable') else ''}"


def _bounds(schema: Json) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    # What 64 bits hold says nothing to a reader.
    high = None if high == 2**63 - 1 else high
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    if low:
        return f", {low:,} or more"
    if high is not None:
        return f", {high:,} at most"
    if schema.get("maxLength"):
        return f", {schema['maxLength']:,} characters at most"
    if schema.get("maxItems"):
        return f", {schema['maxItems']:,} at most"
    return ""


def _about(schema: Json, is_required: bool) -> str:  # noqa: FBT001
    said = [_cell(schema.get("description", ""))]
    if is_required:
        said.insert(0, "**required.**")
    default = schema.get("default", schema.get("schema", {}).get("default"))
    if default not in (None, ""):
        said.append(f"Unless given: `{str(default).lower() if isinstance(default, bool) else default}`.")
    return " ".join(part for part in said if part)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in dict.fromkeys(rows)), ""]
