"""Makes what is generated: the synchronous twin of `_async`, and an exception for each code of `docs/problems.md`.

`python clients/python/generate.py` writes them; a test holds them to be fresh.
"""

import io
import re
import textwrap
import tokenize
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "src" / "eventflow_client"
PROBLEMS = HERE.parents[1] / "docs" / "problems.md"

_DROPPED = {"async", "await"}
_NAMES = {
    "_async": "_sync",
    "async_kit": "sync_kit",
    "AsyncClient": "Client",
    "AsyncIterator": "Iterator",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "aiter_raw": "iter_raw",
    "aread": "read",
    "asynccontextmanager": "contextmanager",
    "aclosing": "closing",
    "StopAsyncIteration": "StopIteration",
}
# Public names of the asynchronous half begin with `Async`, those of the other half have no prefix.
_PREFIX = re.compile(r"^Async(?=[A-Z])")
_ONE_PROBLEM = re.compile(r"^### `(\w+)`\n\n\*([^\n]+?)\*[^\n]*\n\n(.*?)(?=\n##|\Z)", re.MULTILINE | re.DOTALL)


def synchronous(source: str) -> str:
    """Return what the asynchronous source is without `async` and `await`."""
    out: list[str] = []
    line, column = 1, 0
    lines = source.splitlines(keepends=True)
    is_after_dropped = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        # What stands between two tokens, as it stands there.
        gap = ""
        while line < token.start[0]:
            gap += lines[line - 1][column:]
            line, column = line + 1, 0
        if line <= len(lines):
            gap += lines[line - 1][column : token.start[1]]
        line, column = token.end
        if is_after_dropped:
            gap = gap.lstrip(" ")
        is_after_dropped = token.type == tokenize.NAME and token.string in _DROPPED
        out.append(gap + ("" if is_after_dropped else _renamed(token)))
    return f"# Made from ../_async by generate.py: change that, not this.\n{''.join(out)}"


def _renamed(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME:
        return _NAMES.get(token.string, _PREFIX.sub("", token.string))
    if token.type == tokenize.STRING:
        return re.sub(r"\bawait |\basync (?=with|for|def)", "", re.sub(r"\bAsync(?=[A-Z])", "", token.string))
    return token.string


def problem_classes(document: str) -> str:
    """Return a module with an exception for each code of the document."""
    classes = []
    codes = []
    for code, title, text in _ONE_PROBLEM.findall(document):
        name = "".join(word.capitalize() for word in code.split("_"))
        assert name.isidentifier(), code
        codes.append((code, name))
        words = "\n\n".join(
            textwrap.fill(" ".join(each.split()), 116, initial_indent="    ", subsequent_indent="    ")
            for each in text.strip().split("\n\n")
        ).replace("\\", "\\\\")
        classes.append(f'class {name}(Problem):\n    """{title}\n\n{words}\n    """\n\n    code = "{code}"\n')
    table = "".join(f'    "{code}": {name},\n' for code, name in codes)
    return (
        '"""An exception for each code that the server refuses with. Made from docs/problems.md by generate.py."""\n\n'
        "from typing import Final\n\nfrom .errors import Problem\n\n\n"
        + "\n\n".join(classes)
        + "\n\nBY_CODE: Final[dict[str, type[Problem]]] = {\n"
        + table
        + "}\n"
    )


def made() -> dict[Path, str]:
    """Return what each generated file has to hold."""
    files = {PACKAGE / "problems.py": problem_classes(PROBLEMS.read_text())}
    for source in sorted((PACKAGE / "_async").glob("*.py")):
        files[PACKAGE / "_sync" / source.name] = synchronous(source.read_text())
    return files


if __name__ == "__main__":
    for path, content in made().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
