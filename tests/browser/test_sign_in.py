"""Signing in to the dashboard."""

import re

from playwright.sync_api import expect

from accounts.roles import Role
from tests.browser.conftest import PASSWORD
from tests.factories import make_user


def test_a_user_signs_in_and_out(page):
    user = make_user(Role.CONSUMER, password=PASSWORD)
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    expect(page.locator(".person-name")).to_have_attribute("title", user.email)

    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/streams")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_password_is_said_plainly(page, complaints):
    user = make_user(Role.CONSUMER, password=PASSWORD)
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_contain_text("E-mail address or password is wrong")
    expect(page.get_by_label("E-mail")).to_have_value(user.email)
    complaints.expect("401")


def test_after_signing_in_the_page_that_was_asked_for_opens(page):
    user = make_user(Role.CONSUMER, password=PASSWORD)
    page.goto("/consumer-groups?name=billing")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page).to_have_url(re.compile(r"/consumer-groups\?name=billing$"))


def test_signing_in_never_leads_to_another_site(page):
    user = make_user(Role.CONSUMER, password=PASSWORD)
    page.goto("/sign-in?next=https://evil.example/")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
