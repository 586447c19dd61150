"""What is not ours is unchanged, licensed and listed; pages need nothing from elsewhere and nothing inline."""

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
VENDORED = [
    ROOT / place
    for place in ("observability/dashboard/static/eventflow/vendor", "tests/browser/vendor", "tests/containers/vendor")
]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "observability/dashboard/static/eventflow/js").glob("*.js"))
STYLES = sorted((ROOT / "observability/dashboard/static/eventflow/css").glob("*.css"))


@pytest.mark.parametrize("folder", VENDORED, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_vendored_file_has_the_hash_that_is_listed(folder):
    listed = dict(line.split("  ./")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("SHA256SUMS", "README.md")
    }

    assert found == listed


@pytest.mark.parametrize("folder", VENDORED, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_vendored_package_brings_its_licence(folder):
    packages = [path for path in folder.iterdir() if path.is_dir()]

    assert packages
    assert [path.name for path in packages if not (path / "LICENSE").is_file()] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_has_no_inline_script_or_style_and_no_foreign_address(template):
    text = template.read_text()

    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text), "an inline script"
    assert not re.search(r"<style\b", text), "an inline style sheet"
    assert not re.search(r"\sstyle\s*=", text), "a style attribute"
    assert not re.search(r"\son[a-z]+\s*=", text), "an event handler attribute"
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text), "an address elsewhere"
    assert "|safe" not in text, "unescaped output"
    assert "autoescape off" not in text, "unescaped output"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_never_makes_elements_out_of_text(script):
    text = re.sub(r"//.*", "", script.read_text())

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize("style", STYLES, ids=lambda path: path.name)
def test_a_style_sheet_fetches_nothing_from_elsewhere(style):
    assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@import", style.read_text())


@pytest.mark.parametrize(
    "style", [each for each in STYLES if each.name not in ("tokens.css", "admin.css")], ids=lambda path: path.name
)
def test_a_colour_is_said_once_for_both_themes(style):
    """A colour that is no token would be wrong in one of the two; `light-dark()` says both."""
    text = re.sub(r"light-dark\([^;]*?\)(?=[;,\s])", "", style.read_text())

    assert [each for each in re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", text) if each != "#fff"] == []
