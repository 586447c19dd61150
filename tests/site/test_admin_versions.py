"""A form of the admin in an old tab is refused: nothing of what somebody else has changed since is undone."""

import re
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import Team
from accounts.roles import Role
from accounts.services.teams import hold_team
from consumers.models import ConsumerGroup
from streams.models import Stream
from tests.consumers.leases import eventually
from tests.factories import make_group, make_stream, make_team, make_user
from tests.site.test_admin_pages import NO_INLINES
from tests.threads import Work, waits_for_a_lock

pytestmark = pytest.mark.usefixtures("db_with_commits")

GROUP = {"ack_wait_seconds": 30, "max_failures": 5, "max_deliveries": 20, "backoff_seconds": "5", "ordering": "none"}
FIELDS: list[tuple[Any, str, str, dict[str, Any]]] = [
    (Stream, "streams_stream", "description", {"visibility": "internal", "labels": "{}", "validation": "off"}),
    (ConsumerGroup, "consumers_consumergroup", "max_in_flight", GROUP),
    (Team, "accounts_team", "description", {}),
]
KINDS = pytest.mark.parametrize(("model", "name", "field", "fields"), FIELDS, ids=[kind[1] for kind in FIELDS])


@pytest.fixture
def browser() -> Client:
    root = make_user(Role.ADMIN, email="root@example.com")
    make_group(make_stream("orders", owner=root), "billing", owner=root)
    make_team("payments")
    client = Client()
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    return client


def version_on(browser: Client, page: str) -> str:
    found = re.search(r'<input type="hidden" name="version" value="([0-9a-f]{32})"', browser.get(page).content.decode())
    assert found is not None
    return found[1]


@KINDS
def test_an_old_tab_is_refused_and_the_version_that_is_there_is_changed(browser, model, name, field, fields):
    row = model.objects.get()
    page = reverse(f"admin:{name}_change", args=[row.pk])
    owner = {"owner": row.owner_id} if hasattr(row, "owner_id") else {}
    typed = {**fields, **owner, **NO_INLINES, field: "77", "version": version_on(browser, page)}
    model.objects.update(**{field: "66"})

    answer = browser.post(page, typed)
    assert answer.status_code == 200
    assert "is not as you have seen it" in answer.content.decode()
    assert str(getattr(model.objects.get(), field)) == "66"

    assert browser.post(page, {**typed, "version": version_on(browser, page)}).status_code == 302
    assert str(getattr(model.objects.get(), field)) == "77"


def test_the_version_is_looked_at_when_nobody_else_can_change_it_any_more(browser):
    team = Team.objects.get()
    page = reverse("admin:accounts_team_change", args=[team.pk])
    typed = {"description": "mine", "version": version_on(browser, page)}
    with transaction.atomic():
        hold_team(team, None)
        save = Work(lambda: browser.post(page, typed))
        eventually(waits_for_a_lock)
        Team.objects.update(description="theirs")
    assert save.result().status_code == 200
    assert Team.objects.get().description == "theirs"
