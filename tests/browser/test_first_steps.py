"""A stream that has never had an event: a key, three lines to paste, and the event appears by itself."""

import os
import subprocess

import pytest
from playwright.sync_api import expect

from accounts.models import ApiKey
from accounts.roles import Role
from tests.browser.accessibility import assert_accessible, assert_fits, assert_legible
from tests.factories import make_stream, make_user

pytestmark = pytest.mark.processes

WIDTHS = (1440, 390, 320)


@pytest.fixture
def owner(site, sign_in):
    user = make_user(Role.PRODUCER, Role.CONSUMER)
    make_stream("orders", owner=user)
    make_stream("others", owner=user)
    return sign_in(user=user)


def paste(page, *blocks: str) -> str:
    """Run what stands in these blocks, as one copies and pastes it."""
    lines = "\n".join(page.locator(block).inner_text() for block in blocks)
    done = subprocess.run(
        ["bash", "-euc", lines.replace("curl ", "curl --fail-with-body ")],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def make_the_key(page) -> str:
    """Make the key that the steps suggest, by keyboard; return its secret."""
    link = page.get_by_role("link", name="Make a key…")
    link.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_have_value("first steps with orders")
    # For a moment what was put in is not live, and then the focus goes to where it is wanted.
    expect(page.locator(".htmx-added")).to_have_count(0)
    dialog.get_by_label("Name").press("Enter")
    expect(page.locator("#secret")).to_be_visible()
    expect(page.locator(".htmx-added")).to_have_count(0)
    secret = page.locator("#secret").inner_text()
    page.get_by_role("link", name="I have copied it").press("Enter")
    expect(dialog).to_have_count(0)
    return secret


def test_from_an_empty_stream_to_its_first_event_which_appears_by_itself(page, owner):
    page.goto("/streams/orders")
    expect(page.locator("#first-event")).to_contain_text("Waiting for the first event…")
    assert page.locator("#first-event").get_attribute("role") == "status"

    secret = make_the_key(page)
    expect(page.locator("#first-key")).to_have_text(f"export EVENTFLOW_KEY={secret}")
    paste(page, "#first-key", "#first-append")

    link = page.locator("#first-event").get_by_role("link", name="offset 1")
    expect(link).to_be_visible()
    # The key stays in its line while the rest of the page renews itself.
    expect(page.locator("#first-key")).to_contain_text(secret)
    paste(page, "#first-key", "#first-group")
    assert '"from": "curl"' in paste(page, "#first-key", "#first-read")
    link.click()
    expect(page.locator(".json")).to_contain_text("curl")
    page.goto("/streams/orders")
    expect(page.locator("#first-steps")).to_have_count(0)
    assert secret not in page.content()


def test_the_key_is_for_this_stream_and_for_these_lines_alone(page, owner):
    page.goto("/streams/orders")
    make_the_key(page)

    key = ApiKey.objects.get()
    assert key.stream_names == ["orders"]
    assert key.scopes == ["consume", "produce"]
    assert key.expires_at is not None


def test_the_program_in_python_appends_too(page, owner):
    page.goto("/streams/orders")
    secret = make_the_key(page)
    page.get_by_text("The same in Python").click()
    program = page.locator("#first-append-python").inner_text()

    subprocess.run(
        ["python3", "-c", program],
        env={"PATH": os.environ["PATH"], "EVENTFLOW_KEY": secret},
        capture_output=True,
        timeout=60,
        check=True,
    )
    page.locator("#first-event").get_by_role("link", name="offset 1").click()
    expect(page.locator(".json")).to_contain_text("Python")


def test_the_steps_are_accessible_and_fit_in_both_themes(page, owner):
    page.emulate_media(color_scheme="dark")
    page.goto("/streams/orders")
    page.get_by_text("The same in Python").click()
    assert_accessible(page)
    page.emulate_media(color_scheme="light")
    assert_legible(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert_fits(page)
