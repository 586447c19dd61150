"""The documentation's site in a real browser, opened from the disk: it works without a server, and asks nobody."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import assert_accessible, assert_fits
from tests.docs_site import build

pytestmark = [pytest.mark.processes, pytest.mark.slow("builds the whole site")]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("docs") / "site")


@pytest.fixture
def requests() -> list[str]:
    """What the browser has asked for."""
    return []


@pytest.fixture
def page(browser: Browser, requests: list[str]) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page.on("request", lambda request: requests.append(request.url))
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    page.close()
    assert faults == []


def test_no_page_asks_for_anything_elsewhere(page, requests, site):
    opened = 0
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri(), wait_until="load")
        opened += 1
    assert opened > 80
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_search_finds_without_a_server(page, requests, site):
    page.goto((site / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").fill("redrive")
    # One that has the word, before all that the reference has of it.
    found = page.locator(".md-search-result__link[href*='h=redrive']").first
    expect(found).to_be_visible(timeout=20_000)
    assert "/reference/" not in (found.get_attribute("href") or "")
    found.click()
    expect(page.locator("article h1")).to_be_visible()
    assert page.url.startswith("file:")
    assert page.url.partition("?")[0] != (site / "index.html").as_uri()
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_drawing_follows_the_scheme_that_the_reader_chose(page, site):
    page.goto((site / "index.html").as_uri())
    light, dark = page.locator("img[src$='only-light']"), page.locator("img[src$='only-dark']")
    expect(light).to_be_visible()
    expect(dark).to_be_hidden()
    page.emulate_media(color_scheme="dark")
    expect(dark).to_be_visible()
    expect(light).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_read_by_everybody(page, site, scheme):
    page.emulate_media(color_scheme=scheme)
    for name in (
        "index.html",
        "tutorial.html",
        "client-recipes-go.html",
        "coming-from/kafka.html",
        "reference/producing.html",
    ):
        page.goto((site / name).as_uri())
        assert_accessible(page)


def test_on_a_phone_nothing_is_wider_than_the_screen(page, site):
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("index.html", "tutorial.html", "limits.html", "coming-from/kafka.html", "reference/lease-mode.html"):
        page.goto((site / name).as_uri())
        assert_fits(page)
