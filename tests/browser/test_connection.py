"""When the server goes away and comes back while somebody looks."""

from playwright.sync_api import expect

from tests.browser.story import append, tell_story


def test_a_restart_is_shown_and_got_over(page, sign_in, site, complaints):
    story = tell_story()
    sign_in(user=story.owner)
    page.goto("/streams/orders")
    sign = page.locator("[data-connection]")
    expect(sign).to_have_text("Live")

    site.stop()
    try:
        expect(sign).to_have_text("Reconnecting…")
    finally:
        site.start()
    append(story.stream, {"type": "after.restart", "payload": {}})

    expect(sign).to_have_text("Live", timeout=30_000)
    expect(page.locator("#region")).to_contain_text("after.restart")
    complaints.clear()  # Refused connections are what this test makes.


def test_a_session_that_ends_leads_to_the_sign_in(page, context, sign_in, site):
    story = tell_story()
    sign_in(user=story.owner)
    page.goto("/streams/orders")
    context.clear_cookies()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_unexpected_error_is_shown_with_its_request_id(page, sign_in, site, complaints):
    story = tell_story()
    sign_in(user=story.owner)
    page.goto("/keys")
    page.route(
        "**/keys/new", lambda route: route.fulfill(status=500, headers={"X-Request-Id": "request-4711"}, body="")
    )
    page.get_by_role("link", name="New key").click()

    expect(page.get_by_role("alert").filter(has_text="EventFlow could not answer")).to_contain_text(
        "Request request-4711"
    )
    complaints.expect("500")


def test_the_theme_is_kept(page, sign_in, site):
    sign_in()
    page.goto("/")
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/streams")

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.evaluate("() => localStorage.clear()")
