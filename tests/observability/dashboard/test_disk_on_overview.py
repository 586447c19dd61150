"""A disk that is low, on the overview: a banner for those who can do something about it, a part of health for all."""

import re

import pytest
from django.test import Client

from accounts.roles import Role
from observability.dashboard.queries import system_health
from tests.factories import make_stream, make_user
from tests.observability.disk.samples import sample

pytestmark = pytest.mark.usefixtures("db_with_commits")

DAY = 86400


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    system_health.forget_system_health()
    yield
    system_health.forget_system_health()


def overview_of(*roles):
    browser = Client()
    browser.force_login(make_user(*roles), "django.contrib.auth.backends.ModelBackend")
    return " ".join(browser.get("/").content.decode().split())


def test_admins_get_a_banner_that_leads_to_the_largest_streams():
    make_stream("orders")
    sample(91, full_in=3 * DAY)
    page = overview_of(Role.ADMIN)
    assert "The disk is 91 % full, and at this rate full in about 3 days." in page
    assert 'href="/streams?by=size"' in page
    assert "look closer" in page


def test_others_see_it_among_the_parts_and_get_no_banner():
    make_stream("orders")
    sample(91)
    page = overview_of(Role.CONSUMER)
    assert "The disk is" not in page
    assert re.search(r'<span class="push small warn">91 % full</span>', page)


def test_a_disk_with_room_is_a_good_part_and_an_unknown_one_is_none():
    make_stream("orders")
    assert ">Disk<" not in overview_of(Role.ADMIN)
    system_health.forget_system_health()
    sample(50)
    page = overview_of(Role.ADMIN)
    assert "The disk is" not in page
    assert '<span class="push small faint">50 % full</span>' in page
