"""A disk that fills up: the banner can be read in the dark, in the light and on a phone, and leads to the largest streams."""

from playwright.sync_api import expect

from accounts.roles import Role
from observability.dashboard.queries import system_health
from streams.models import Partition
from tests.browser.accessibility import assert_accessible, assert_fits, assert_legible
from tests.factories import make_stream
from tests.observability.disk.samples import sample

PHONE = {"width": 390, "height": 844}


def assert_in_order(page):
    page.emulate_media(color_scheme="dark")
    assert_accessible(page)
    page.emulate_media(color_scheme="light")
    assert_legible(page)
    size = page.viewport_size
    page.set_viewport_size(PHONE)
    page.reload()
    assert_fits(page)
    assert_accessible(page)
    page.set_viewport_size(size)


def test_the_banner_leads_an_admin_to_the_largest_streams(page, sign_in, site):
    system_health.forget_system_health()
    for number in range(3):
        make_stream(f"stream-{number}")
        Partition.objects.filter(stream__name=f"stream-{number}").update(stored_bytes=number * 2**30)
    sample(91, full_in=3 * 86400)
    sign_in(Role.ADMIN)

    page.goto("/")
    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("The disk is 91 % full, and at this rate full in about 3 days.")
    assert_in_order(page)
    banner.get_by_role("link", name="Largest streams").click()

    expect(page.locator("tbody th a")).to_have_text(["stream-2", "stream-1", "stream-0"])
    assert_in_order(page)
    page.get_by_role("columnheader", name="Stream").get_by_role("link").click()
    expect(page.locator("tbody th a")).to_have_text(["stream-0", "stream-1", "stream-2"])
    system_health.forget_system_health()
