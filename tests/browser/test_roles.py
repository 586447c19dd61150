"""What somebody may not do is not shown, and refused where it is asked for all the same."""

from playwright.sync_api import expect

from accounts.roles import Role
from tests.browser.story import tell_story
from tests.factories import make_stream, make_user


def test_a_consumer_sees_no_way_to_produce_or_manage(page, sign_in, site, complaints):
    tell_story()
    sign_in(Role.CONSUMER)
    page.goto("/streams/orders")
    navigation = page.get_by_role("navigation", name="Pages")
    expect(navigation.get_by_role("link", name="Consumers")).to_be_visible()
    for hidden in ("Send events", "Simulations", "Users", "Administration"):
        expect(navigation.get_by_role("link", name=hidden)).to_have_count(0)
    expect(page.get_by_role("link", name="Send events")).to_have_count(0)
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)

    for forbidden in ("/send", "/simulations", "/streams/new", "/streams/orders/settings", "/users"):
        assert page.goto(forbidden).status == 403, forbidden
    complaints.expect("403")


def test_a_producer_sees_their_own_streams_only(page, sign_in, site, complaints):
    tell_story()
    producer = make_user(Role.PRODUCER)
    make_stream("signups", owner=producer)
    sign_in(user=producer)
    page.goto("/streams")
    expect(page.get_by_role("link", name="signups")).to_be_visible()
    expect(page.get_by_role("link", name="orders")).to_have_count(0)

    assert page.goto("/streams/orders").status == 404
    expect(page.get_by_role("heading", name="Stream not found")).to_be_visible()
    complaints.expect("404")


def test_a_page_whose_role_is_taken_away_says_so_instead_of_waiting_for_the_server(page, sign_in, site, complaints):
    user = sign_in(Role.CONSUMER)
    page.goto("/consumer-groups")
    expect(page.locator("[data-connection]")).to_have_text("Live")
    user.groups.clear()

    expect(page.get_by_role("link", name="To the overview")).to_be_visible(timeout=15_000)
    complaints.expect("403")


def test_an_admin_reaches_the_administration_and_comes_back(page, sign_in, site):
    sign_in(Role.ADMIN)
    page.goto("/")
    page.get_by_role("link", name="Administration").click()
    expect(page.get_by_role("link", name="Back to the dashboard")).to_be_visible()
    page.get_by_role("link", name="Back to the dashboard").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
