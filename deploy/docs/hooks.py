"""What MkDocs is told beside mkdocs.yml, so that docs/ stays plain Markdown that is read without it too.

* Headings get the anchors that they have where the files are read as they are.
* SECURITY.md, CONTRIBUTING.md, CHANGELOG.md and LICENSE are pages, and links to them lead there.
* The reference is made from the OpenAPI document that `EVENTFLOW_OPENAPI` names.
* A picture that knows a dark scheme is shown in the scheme that the reader chose.
"""

import json
import os
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import ConfigurationError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify
from reference import pages_of

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
# What lies beside docs/ and belongs to the site.
BESIDE = {
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE.txt",
    "README.md": "index.md",
}
_FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s]+)\)")
_CELL = re.compile(r"<td[^>]*>.*?</td>", re.DOTALL)
_DARK = "@media (prefers-color-scheme: dark)"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, uri in BESIDE.items():
        if not (DOCS / uri).exists():
            files.append(File.generated(config, uri, content=(PROJECT / name).read_text()))
    document = _document()
    for page in pages_of(document):
        files.append(File.generated(config, f"reference/{page.name}", content=page.markdown))
    files.append(File.generated(config, "reference/openapi.json", content=json.dumps(document, indent=1)))
    for file in list(files.media_files()):
        _add_schemes(file, files, config)
    config.nav = _filled(config.nav, [file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    source = next(
        (name for name, uri in BESIDE.items() if uri == page.file.src_uri and not (DOCS / uri).exists()), None
    )
    here = PROJECT / source if source else DOCS / page.file.src_uri
    return _outside_fences(markdown, lambda text: _LINK.sub(lambda link: _led(link, here, page, files), text))


def on_page_content(html: str, **_: Any) -> str:
    """In a table a bar within code has a backslash before it; what is shown is the bar."""
    return _CELL.sub(lambda cell: cell[0].replace(r"\|", "|"), html)


def on_post_page(output: str, **_: Any) -> str:
    """The theme's search is a dialog that nobody named: screen readers could not tell what it is for."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')


def _document() -> Any:
    path = os.environ.get("EVENTFLOW_OPENAPI")
    if not path:
        raise ConfigurationError(
            "EVENTFLOW_OPENAPI must name the OpenAPI document; `make docs-site` makes it and says so."
        )
    return json.loads(Path(path).read_text())


def _filled(nav: Any, uris: list[str]) -> Any:
    """The navigation with its patterns (`adr/*.md`) replaced by what they find."""
    if isinstance(nav, str):
        return [uri for uri in uris if fnmatchcase(uri, nav)] if "*" in nav else nav
    if isinstance(nav, dict):
        return {title: _filled(each, uris) for title, each in nav.items()}
    filled = [_filled(each, uris) for each in nav]
    return [entry for each in filled for entry in (each if isinstance(each, list) else [each])]


def _outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])


def _led(link: re.Match[str], here: Path, page: Page, files: Files) -> str:
    """The link as it is from the page of the site, where the file that it names is another page there."""
    label, target = link.groups()
    path, hash_sign, anchor = target.partition("#")
    if "://" in target or target.startswith("mailto:") or not path:
        return link[0]
    named = (here.parent / path).resolve()
    if named.is_relative_to(DOCS):
        uri = str(named.relative_to(DOCS))
    elif named.is_relative_to(PROJECT):
        uri = BESIDE.get(str(named.relative_to(PROJECT)), str(named.relative_to(PROJECT)))
    else:
        return link[0]
    led = os.path.relpath(uri, Path(page.file.src_uri).parent)
    dark = f"{uri.removesuffix('.svg')}.dark.svg"
    if label.startswith("!") and files.get_file_from_path(dark):
        led_dark = f"{led.removesuffix('.svg')}.dark.svg"
        return f"{label}({led}#only-light){label}({led_dark}#only-dark)"
    return f"{label}({led}{hash_sign}{anchor})"


def _add_schemes(file: File, files: Files, config: MkDocsConfig) -> None:
    """A drawing follows the system's scheme; the site has a switch. So of a drawing that knows both, there are two."""
    if not file.src_uri.endswith(".svg") or _DARK not in file.content_string:
        return
    text = file.content_string
    files.remove(file)
    files.append(File.generated(config, file.src_uri, content=text.replace(_DARK, "@media not all")))
    dark = f"{file.src_uri.removesuffix('.svg')}.dark.svg"
    files.append(File.generated(config, dark, content=text.replace(_DARK, "@media all")))
