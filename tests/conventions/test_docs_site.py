"""The documentation's site: every page is in its navigation, every link lands, and nothing is fetched from elsewhere."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.conventions.openapi import document, operations
from tests.docs_site import PROJECT, SOURCES, Site, build, configuration, reference

# Pages that the site has and docs/ does not: they are beside it, or made.
ADDED = {"security.md", "contributing.md", "changelog.md"}
ELSEWHERE = re.compile(r"^(?:[a-z][a-z+.-]*:)?//", re.IGNORECASE)

built = [pytest.mark.processes, pytest.mark.slow("builds the whole site")]


def entries(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [entry for each in (nav.values() if isinstance(nav, dict) else nav) for entry in entries(each)]


# --- what is to be built ---


def test_every_page_is_in_the_navigation_once():
    named = entries(configuration()["nav"])
    patterns = [entry for entry in named if "*" in entry and not entry.startswith("reference/")]
    expanded = [path for pattern in patterns for path in (PROJECT / "docs").glob(pattern)]
    pages = {str(path.relative_to(PROJECT / "docs")) for path in (PROJECT / "docs").rglob("*.md")}
    found = [str(path.relative_to(PROJECT / "docs")) for path in expanded]
    assert sorted([*(entry for entry in named if "*" not in entry), *found]) == sorted(pages | ADDED)


def test_nothing_that_the_site_is_told_to_use_is_elsewhere():
    settings = configuration()
    assert settings["theme"]["font"] is False
    assert "iframe-worker" in settings["extra"]["polyfills"][0], "or the plugin names an address elsewhere"
    told = [line for line in (SOURCES / "mkdocs.yml").read_text().splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in told if "//" in line] == []
    styles = [path.read_text() for path in (SOURCES / "theme").rglob("*.css")]
    assert styles
    assert not any("url(" in style or "@import" in style for style in styles)


def test_the_reference_has_every_operation_once_with_its_fields():
    front, *pages = reference().pages_of(document())
    headings = [heading for page in pages for heading in re.findall(r"^## `(.+?)`", page.markdown, re.MULTILINE)]
    assert sorted(headings) == sorted(f"{each.method} {each.template}" for each in operations())
    [leasing] = [page.markdown for page in pages if page.name == "lease-mode.md"]
    assert "| `deliveries[].failed[].offset` |" in leasing, "fields within fields"
    anchors = {f"{page.name}#{name}" for page in pages for name in re.findall(r"\{ #(\S+) data", page.markdown)}
    assert set(re.findall(r"\]\((\S+\.md#\S+)\)", front.markdown)) == anchors


def test_ci_builds_it():
    assert " docs-site" in (PROJECT / ".ci/run").read_text().partition("for target in ")[2].partition(";")[0]


# --- what was built ---


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Site:
    return Site(build(tmp_path_factory.mktemp("docs") / "site"))


class TestTheSite:
    pytestmark = built

    def test_a_page_that_nobody_finds_and_links_that_lead_nowhere_end_the_build(self, tmp_path):
        for name in ("docs", "deploy/docs"):
            shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (*PROJECT.glob("*.md"), PROJECT / "LICENSE"):
            shutil.copy(path, tmp_path)
        (tmp_path / "docs" / "stray.md").write_text("# Stray\n\n[dead](nowhere.md), [moved](api.md#nothing)\n")
        with pytest.raises(subprocess.CalledProcessError) as error:
            build(tmp_path / "site", tmp_path)
        assert "Aborted with 3 warnings in strict mode" in error.value.stdout + error.value.stderr

    def test_every_link_lands_on_its_anchor_too(self, site):
        dead = [
            f"{path.relative_to(site.folder)}: {link}"
            for path, page in site.pages.items()
            for link in page.links
            if not ELSEWHERE.match(link) and not link.startswith("mailto:") and not lands(site, path, link)
        ]
        assert dead == []

    def test_it_loads_nothing_from_elsewhere(self, site):
        loaded = {(each, path) for path, page in site.pages.items() for each in page.loaded}
        assert len({each for each, _ in loaded}) > 10
        assert [each for each, _ in loaded if ELSEWHERE.match(each)] == []
        assert [each for each, path in loaded if not lands(site, path, each)] == []
        for style in site.folder.rglob("*.css"):
            fetched = re.findall(r"url\(\s*[\"']?(?!data:)([^)\"']+)", style.read_text())
            assert [each for each in fetched if ELSEWHERE.match(each)] == []

    def test_no_markdown_is_left_in_what_is_read(self, site):
        """A list that hangs on its paragraph, a fence in the wrong column: Markdown elsewhere is more forgiving."""
        left = re.compile(r"```|\*\*|\n(?:\* |\d+\. |\| )|\]\(|`")
        assert [
            f"{path.relative_to(site.folder)}: {text[:100]!r}"
            for path, page in site.pages.items()
            for text in page.text
            if left.search(text)
        ] == []
        assert [code for page in site.pages.values() for code in page.code_in_tables if r"\|" in code] == []

    def test_a_drawing_is_there_for_both_schemes(self, site):
        [index] = [page for path, page in site.pages.items() if path == site.folder / "index.html"]
        assert {"images/overview.svg#only-light", "images/overview.dark.svg#only-dark"} <= set(index.loaded)
        assert "prefers-color-scheme" not in (site.folder / "images" / "overview.dark.svg").read_text()


def lands(site: Site, path: Path, link: str) -> bool:
    """Whether what a page links to is there, with the anchor if one is named."""
    file, _, anchor = link.partition("#")
    target = (path.parent / unquote(file)).resolve() if file else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return False
    if not anchor or target.suffix != ".html" or target.name == "404.html":
        return True
    return unquote(anchor) in site.pages[target].anchors
