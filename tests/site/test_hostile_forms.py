"""Hostile text where only a browser's forms lead: it is refused, and nothing breaks."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey
from accounts.roles import Role
from streams.models import Stream
from tests.factories import make_key, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

FORM = "application/x-www-form-urlencoded"
FORMS = {
    "/keys/new": "name=n&scopes=consume",
    "/streams/new": "name=new-one&partitions=1&visibility=internal",
    "/simulations": "stream=orders&type=t&payload=1&rate=1&duration=1&bad_percent=0",
    "/send": "stream=orders&type=t&payload=1",
}


@pytest.fixture
def browser() -> Client:
    root = make_user(Role.ADMIN, Role.PRODUCER, Role.CONSUMER, email="root@example.com")
    make_stream("orders", owner=root)
    make_key(root)
    client = Client(raise_request_exception=False)
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("key", ["%00", "a%00b", "%ed%a0%80", "%ff", "%C2%B2", "a%20b", "x" * 256])
@pytest.mark.parametrize("path", FORMS)
def test_a_key_of_a_submission_that_can_be_none_is_refused(browser: Client, path: str, key: str) -> None:
    before = Stream.objects.count(), ApiKey.objects.count()
    answer = browser.post(path, f"{FORMS[path]}&idempotency_key={key}", content_type=FORM)
    assert answer.status_code in (400, 422)
    assert (Stream.objects.count(), ApiKey.objects.count()) == before


@pytest.mark.parametrize(
    "like", ["%C2%B2/1", "0/%C2%B2", "%D9%A3/1", "0/0", "0/9223372036854775808", "-1/1", "%00/1", "/"]
)
def test_an_event_to_begin_with_that_can_be_none_is_not_there(browser: Client, like: str) -> None:
    assert browser.get(f"/send?stream=orders&like={like}").status_code == 404


@pytest.mark.parametrize("value", ["x", "%C2%B2", "1e9", "-", "9223372036854775808", "9" * 30, "%ff", "1%00"])
@pytest.mark.parametrize(
    ("model", "action"),
    [
        ("accounts_user", "disable"),
        ("consumers_consumergroup", "pause"),
        ("consumers_deadletter", "redrive"),
        ("streams_stream", "delete_selected"),
    ],
)
def test_rows_that_are_chosen_by_what_is_no_key_are_refused(
    browser: Client, model: str, action: str, value: str
) -> None:
    page = reverse(f"admin:{model}_changelist")
    answer = browser.post(page, f"action={action}&{ACTION_CHECKBOX_NAME}={value}", content_type=FORM)
    assert answer.status_code == 400
