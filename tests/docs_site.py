"""The documentation's site, as `make docs-site` builds it, and its pages as a test reads them."""

import importlib.util
import json
import os
import subprocess
import sys
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.conventions.openapi import document

PROJECT = Path(__file__).resolve().parent.parent
SOURCES = PROJECT / "deploy" / "docs"
CONFIGURATION = SOURCES / "mkdocs.yml"
MKDOCS = Path(sys.prefix) / "docs" / "bin" / "mkdocs"

# What makes a browser fetch something, by itself.
LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
    "form": "action",
}
LOADING_RELATIONS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
EMPTY = {"img", "br", "meta", "link", "input", "hr", "path", "source", "rect", "circle"}


def configuration() -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
    return settings


def reference() -> ModuleType:
    """What makes the pages of the reference; it needs nothing of MkDocs."""
    spec = importlib.util.spec_from_file_location("reference", SOURCES / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(target: Path, project: Path = PROJECT) -> Path:
    """Build the site of a checkout in that folder. Skips where MkDocs is not installed.

    Raises:
        CalledProcessError: something is to be warned of; its `stderr` says what.
    """
    if not MKDOCS.exists():
        pytest.skip("needs what `make docs-site` installs")
    openapi = target.with_suffix(".openapi.json")
    openapi.write_text(json.dumps(document()))
    subprocess.run(
        [MKDOCS, "build", "--strict", "--config-file", project / "deploy/docs/mkdocs.yml", "--site-dir", target],
        cwd=target.parent,
        env={**os.environ, "EVENTFLOW_OPENAPI": str(openapi), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return target


class Page(HTMLParser):
    """One page of the site: where it leads, what it loads, what can be linked to, and its text outside of code."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.text: list[str] = []
        self.code_in_tables: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        if tag in LOADS and named.get(LOADS[tag]):
            self.loaded.append(named[LOADS[tag]])
        if tag == "link" and LOADING_RELATIONS & set(named.get("rel", "").split()):
            self.loaded.append(named["href"])
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "article" not in self._open or {"script", "style", "pre"} & set(self._open):
            return
        if "code" not in self._open:
            self.text.append(data)
        elif "td" in self._open:
            self.code_in_tables.append(data)


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def pages(self) -> dict[Path, Page]:
        return {path: Page(path) for path in sorted(self.folder.rglob("*.html")) if path.name != "404.html"}
