"""API keys in the dashboard."""

import re

import pytest
from playwright.sync_api import expect

from accounts.errors import InvalidCredentials
from accounts.models import ApiKey
from accounts.roles import Role
from accounts.services.authenticate_key import authenticate_key
from tests.factories import make_stream, make_user


@pytest.fixture
def owner(site, page, sign_in):
    user = make_user(Role.PRODUCER, Role.CONSUMER)
    make_stream("orders", owner=user)
    return sign_in(user=user)


def make_key(page, name: str) -> str:
    page.goto("/keys")
    page.get_by_role("link", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Only these streams").select_option("orders")
    dialog.get_by_role("button", name="Make the key").click()
    return page.locator("#secret").inner_text()


def test_a_key_is_made_and_its_secret_shown_once(page, owner):
    secret = make_key(page, "checkout")

    assert re.fullmatch(r"evf_live_\w+", secret)
    assert authenticate_key(secret).user_id == owner.pk
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("row", name=re.compile("checkout"))).to_be_visible()
    assert secret not in page.content()


def test_a_name_that_is_refused_stays_to_be_mended(page, owner, complaints):
    page.goto("/keys")
    page.get_by_role("link", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("checkout")
    for scope in ("consume", "produce"):
        dialog.get_by_role("checkbox", name=re.compile(rf"^{scope}\b")).uncheck()
    dialog.get_by_role("button", name="Make the key").click()

    expect(page.get_by_role("dialog").locator(".field-error")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_label("Name")).to_have_value("checkout")
    complaints.expect("422")


def test_a_key_is_rotated(page, owner):
    first = make_key(page, "checkout")
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Rotate checkout").click()
    page.get_by_role("dialog").get_by_label("The old key ends").select_option("now")
    page.get_by_role("button", name="Rotate", exact=True).click()

    expect(page.locator("#secret")).not_to_have_text(first)
    assert ApiKey.objects.filter(revoked_at__isnull=True).count() == 1


def test_a_key_is_revoked_after_saying_what_would_break(page, owner):
    secret = make_key(page, "checkout")
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Revoke checkout").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Nothing has used it yet")
    dialog.get_by_role("button", name="Revoke").click()

    expect(page.get_by_role("row", name=re.compile("checkout"))).to_contain_text("revoked")
    with pytest.raises(InvalidCredentials):
        authenticate_key(secret)


def test_a_dialog_gives_the_focus_back(page, owner):
    page.goto("/keys")
    opener = page.get_by_role("link", name="New key")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()
