"""Every page of the admin: it opens, shows hostile names as text, costs the same however much there is, and acts
through the services."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey, User
from accounts.roles import Right, Role
from accounts.services.api_keys import create_api_key
from consumers.models import ConsumerGroup, GroupMember
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import (
    make_bulk_action,
    make_dead_letter,
    make_group,
    make_key,
    make_stream,
    make_team,
    make_tokens,
    make_user,
)
from tests.observability.alerts.rules import look, make_channel, make_rule

pytestmark = pytest.mark.usefixtures("db_with_commits")

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{7*7}}{% debug %}\u202e\x1b[2J'
# Searches and filters that somebody types into the address.
QUERIES = [
    "",
    "?q=%00",
    "?q=%27%20OR%201%3D1--",
    "?q=%25",
    f"?q={'x' * 5000}",
    "?p=-1",
    "?p=999999",
    "?p=abc",
    "?o=1.2.-3",
    "?o=abc",
    "?e=1",
    "?no_such__field=1",
    "?id__exact=abc",
    "?pk__in=1,%00",
]


@pytest.fixture
def root() -> User:
    return make_user(Role.ADMIN, email="root@example.com")


@pytest.fixture
def browser(root: User) -> Client:
    client = Client()
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    return client


def fill(number: int, *, prefix: str = "") -> None:
    """Something of everything that the admin shows, `number` times, with names as bad as they may be."""
    for each in range(number):
        owner = make_user(Role.PRODUCER, Role.CONSUMER, name=HOSTILE[:100])
        stream = make_stream(
            f"{prefix}stream-{each}", owner=owner, description=HOSTILE, partitions=3, labels={HOSTILE[:60]: HOSTILE}
        )
        event = {"stream": stream.name, "payload": HOSTILE, "key": HOSTILE, "headers": {"h": HOSTILE}}
        assert ApiClient(key=make_key(owner)).post("/events", [event] * 3).status_code == 202
        group = make_group(stream, f"{prefix}group-{each}", mode="lease")
        GroupMember.objects.create(group=group, name=HOSTILE[:100], last_seen_at=timezone.now())
        make_dead_letter(group, last_error=HOSTILE, event_type=HOSTILE[:100], event_key=HOSTILE, note=HOSTILE)
        create_api_key(user=owner, name=HOSTILE[:120], scopes=[Right.CONSUME])
        make_bulk_action(owner)
        make_rule(owner, "dead_letters", make_channel(owner, name=HOSTILE[:120]), stream=stream.name, group=group.name)
    look()


def list_pages() -> list[str]:
    return [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    ]


def assert_shown_as_text(answer, where: str) -> None:
    assert answer.status_code == 200, (where, answer.status_code)
    for raw in (b"<script>alert(1)", b"<img src=x"):
        assert raw not in answer.content, where


def test_every_page_opens_and_shows_hostile_names_as_text(browser: Client) -> None:
    fill(2)
    pages = [reverse("admin:index"), *list_pages()]
    for model, model_admin in admin.site._registry.items():
        names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages += [reverse(f"{names}_change", args=[row.pk]) for row in model._default_manager.all()[:2]]
        pages += [reverse(f"{names}_history", args=[row.pk]) for row in model._default_manager.all()[:1]]
        request = type("Request", (), {"user": User.objects.get(email="root@example.com")})()
        if model_admin.has_add_permission(request):
            pages.append(reverse(f"{names}_add"))
        if model_admin.has_delete_permission(request):
            pages += [reverse(f"{names}_delete", args=[row.pk]) for row in model._default_manager.all()[:1]]
    pages += [
        f"{reverse('admin:app_list', args=[app])}" for app in ("accounts", "streams", "consumers", "observability")
    ]
    pages += [reverse("admin:streams_stream_events", args=[stream.pk]) for stream in Stream.objects.all()]
    for page in pages:
        assert_shown_as_text(browser.get(page), page)


def test_no_page_shows_a_token_with_which_one_could_act_as_somebody_else(browser: Client) -> None:
    """Keys stand there without their secrets, refresh tokens not at all."""
    user = make_user(Role.PRODUCER)
    secret = make_key(user)
    refresh = make_tokens(user).refresh
    channel = make_channel(user, target="https://receiver.example/services/T0ken")
    make_rule(make_user(Role.ADMIN), "disk")
    pages = [reverse("admin:index"), *list_pages()]
    for model in admin.site._registry:
        names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages += [reverse(f"{names}_change", args=[row.pk]) for row in model._default_manager.all()]
    assert reverse("admin:accounts_apikey_changelist") in pages
    for page in pages:
        shown = browser.get(page, follow=True).content.decode()
        assert secret not in shown, page
        assert refresh not in shown, page
        assert "T0ken" not in shown and bytes(channel.secret_seed or b"").hex() not in shown, page


@pytest.mark.parametrize("page", list_pages())
def test_no_search_and_no_filter_breaks_a_list(browser: Client, page: str) -> None:
    fill(1)
    for query in QUERIES:
        answer = browser.get(page + query)
        # What makes no sense leads back to the list, as Django's admin has it, or is refused.
        assert answer.status_code in (200, 302, 400), (query, answer.status_code)
    chosen = browser.post(page, {"action": "no-such", "_selected_action": ["1", "\x00"]})
    assert chosen.status_code in (302, 400)
    for choice, model_admin in admin.site._registry.items():
        if page.endswith(f"/{choice._meta.model_name}/"):
            for wanted in model_admin.list_filter:
                name = wanted if isinstance(wanted, str) else wanted[0]  # type: ignore[index]
                assert browser.get(f"{page}?{name}__isempty=1").status_code in (200, 302)
                assert browser.get(f"{page}?{name}__exact=nothing-like-it").status_code in (200, 302)


def test_no_list_costs_more_because_there_is_more_in_it(browser: Client) -> None:
    def costs() -> dict[str, int]:
        found = {}
        for page in list_pages():
            with CaptureQueriesContext(connection) as captured:
                assert browser.get(page).status_code == 200
            found[page] = len(captured)
        return found

    fill(2, prefix="few-")
    few = costs()
    fill(12, prefix="many-")
    many = costs()
    assert many == few


def test_the_events_page_reads_from_an_offset_or_a_time_and_bears_nonsense(browser: Client) -> None:
    owner = make_user(Role.PRODUCER)
    stream = make_stream("orders", owner=owner, partitions=2)
    client = ApiClient(key=make_key(owner))
    key = next(text for text in "abcdefgh" if _partition_of(client, text) == 1)
    for number in range(120):
        client.post("/events", {"stream": "orders", "key": key, "payload": {"n": number}})
    page = reverse("admin:streams_stream_events", args=[stream.pk])

    newest = browser.get(page, {"partition": 1})
    assert b"&quot;n&quot;:119" in newest.content
    older = browser.get(page, {"partition": "1", "offset": "1"})
    assert b"&quot;n&quot;:119" not in older.content
    assert b"Newer" in older.content
    yesterday = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    assert b'<th scope="row">1</th>' in browser.get(page, {"partition": "1", "since": yesterday}).content
    nonsenses: tuple[dict[str, str], ...] = (
        {"partition": "-1"},
        {"partition": "99999999999999999999"},
        {"partition": "7"},
        {"offset": "0"},
        {"offset": "-5"},
        {"offset": str(2**63)},
        {"offset": str(2**63 - 1)},
        {"since": "0001-01-01T00:00:00"},
        {"since": "9999-12-31T23:59:59"},
        {"since": "yesterday"},
    )
    for nonsense in nonsenses:
        assert browser.get(page, nonsense).status_code == 200, nonsense
    assert browser.get(reverse("admin:streams_stream_events", args=[10**9])).status_code == 404


def _partition_of(client: ApiClient, key: str) -> int:
    return int(client.post("/events", {"stream": "orders", "key": key, "payload": 0}).json()["partition"])


def test_a_key_is_made_shown_once_and_revoked(browser: Client) -> None:
    owner = make_user(Role.PRODUCER, Role.CONSUMER, email="owner@example.com")
    make_stream("orders", owner=owner)
    fields = {"user": owner.pk, "name": "made here", "scopes": ["produce"], "stream_names": ""}
    answer = browser.post(reverse("admin:accounts_apikey_add"), fields)
    key = ApiKey.objects.get()
    assert key.stream_names is None
    # In the answer itself: a message would travel in a cookie.
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert not any(key.prefix in morsel.value for morsel in [*answer.cookies.values(), *browser.cookies.values()])
    assert "messages" not in answer.cookies
    (secret,) = re.findall(rf"{key.prefix}\w+", answer.content.decode())
    assert ApiClient(key=secret).post("/events", {"stream": "orders", "payload": 1}).status_code == 202
    assert secret.encode() not in browser.get(reverse("admin:accounts_apikey_changelist")).content
    assert secret.encode() not in browser.get(reverse("admin:accounts_apikey_change", args=[key.pk])).content

    keys, chosen = reverse("admin:accounts_apikey_changelist"), {"action": "revoke", "_selected_action": [key.pk]}
    question = browser.post(keys, chosen)
    assert "Revoke 1 key?" in question.content.decode()
    assert f"made here ({key.prefix}…) of owner@example.com" in question.content.decode()
    assert ApiClient(key=secret).post("/events", {"stream": "orders", "payload": 1}).status_code == 202

    browser.post(keys, {**chosen, "confirmed": "yes"}, follow=True)
    assert ApiClient(key=secret).post("/events", {"stream": "orders", "payload": 1}).status_code == 401
    assert "have been revoked before" in browser.post(keys, chosen).content.decode()


def test_a_key_form_that_makes_no_sense_says_what_is_wrong(browser: Client) -> None:
    owner = make_user(Role.PRODUCER)
    fields = {"user": owner.pk, "name": "n", "scopes": ["produce"], "stream_names": ""}
    wrongs: tuple[dict[str, Any], ...] = (
        {"stream_names": "Not A Name"},
        {"expires_at_0": "2001-01-01", "expires_at_1": "00:00:00"},
        {"scopes": []},
        {"scopes": ["root"]},
        {"user": ""},
        {"name": ""},
    )
    for wrong in wrongs:
        answer = browser.post(reverse("admin:accounts_apikey_add"), {**fields, **wrong})
        assert answer.status_code == 200, wrong
        assert b"errorlist" in answer.content, wrong
    assert not ApiKey.objects.exists()


def test_a_stream_is_made_changed_paused_and_deleted(browser: Client, root: User) -> None:
    make_user(Role.PRODUCER, email="owner@example.com")
    add = reverse("admin:streams_stream_add")
    fields = {
        "name": "orders",
        "owner": root.pk,
        "partition_count": 2,
        "visibility": "internal",
        "labels": "{}",
        "validation": "off",
    }
    assert browser.post(add, fields).status_code == 302
    stream = Stream.objects.get()
    assert stream.partitions.count() == 2
    change = reverse("admin:streams_stream_change", args=[stream.pk])
    readers = make_team("readers")
    fields = {"owner": root.pk, "visibility": "restricted", "labels": "{}", "validation": "off", "description": "mine"}
    shared = {"grants-TOTAL_FORMS": "1", "grants-INITIAL_FORMS": "0", "grants-0-rights": "consume"}
    assert browser.post(change, {**fields, **shared}).status_code == 200
    assert not stream.grants.exists()
    assert browser.post(change, {**fields, **shared, "grants-0-team": readers.pk}).status_code == 302
    assert (stream.grants.get().rights, stream.grants.get().granted_by) == (["consume"], root.email)
    stream.refresh_from_db()
    assert (stream.visibility, stream.description, stream.name) == ("restricted", "mine", "orders")
    many = reverse("admin:streams_stream_changelist")
    browser.post(many, {"action": "pause", "_selected_action": [stream.pk]})
    client = ApiClient(key=make_key(root))
    assert client.post("/events", {"stream": "orders", "payload": 1}).json()["code"] == "stream_paused"
    browser.post(many, {"action": "resume", "_selected_action": [stream.pk]})
    assert client.post("/events", {"stream": "orders", "payload": 1}).status_code == 202
    assert browser.post(reverse("admin:streams_stream_delete", args=[stream.pk]), {"post": "yes"}).status_code == 302
    assert client.post("/events", {"stream": "orders", "payload": 1}).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Not A Name"},
        {"name": "admin"},
        {"name": "taken"},
        {"partition_count": "0"},
        {"partition_count": "100000"},
        {"retention_max_age_seconds": "-1"},
        {"retention_max_age_seconds": str(30 * 86_400 * 10**9)},
        {"deduplicate_ids_seconds": "604801"},
        {"retention_max_bytes": str(2**70)},
        {"labels": "[1]"},
        {"labels": '{"a": "\\u0000"}'},
        {"labels": '{"a": 5}'},
        {"labels": '{"a": "\\ud800"}'},
        {"labels": '{"\\ud800": "a"}'},
        {"labels": "nonsense"},
        {"visibility": "secret"},
        {"description": "\x00"},
        {"description": "d" * 5000},
    ],
)
def test_a_stream_form_that_makes_no_sense_says_what_is_wrong(browser: Client, root: User, wrong) -> None:
    make_stream("taken", owner=root)
    fields = {
        "name": "orders",
        "owner": root.pk,
        "partition_count": 1,
        "visibility": "internal",
        "labels": "{}",
        "validation": "off",
    }
    answer = browser.post(reverse("admin:streams_stream_add"), {**fields, **wrong})
    assert answer.status_code == 200
    assert b"errorlist" in answer.content
    assert b"Constraint" not in answer.content, "it says what is wrong, and not which rule was broken"
    assert Stream.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Not A Name"},
        {"name": "admin"},
        {"name": "taken"},
        {"ack_wait_seconds": "0"},
        {"ack_wait_seconds": str(10**9)},
        {"max_failures": "0"},
        {"max_deliveries": str(2**40)},
        {"backoff_seconds": ""},
        {"backoff_seconds": "1," * 100 + "1"},
        {"backoff_seconds": "-1"},
        {"backoff_seconds": "nan"},
        {"max_in_flight": "0"},
        {"mode": "other"},
        {"filter": "{"},
        {"filter": '{"type": "t"}'},
        {"filter": '{"types": ["no type"]}'},
        {"filter": '{"headers": {"region": "\\ud800"}}'},
        {"filter": '{"headers": {"\\u0000": "eu"}}'},
    ],
)
def test_a_group_form_that_makes_no_sense_says_what_is_wrong(browser: Client, root: User, wrong) -> None:
    stream = make_stream("orders", owner=root)
    make_group(stream, "taken")
    fields = {
        "stream": stream.pk,
        "owner": root.pk,
        "name": "billing",
        "mode": "offset",
        "start": "earliest",
        "ack_wait_seconds": 30,
        "max_failures": 5,
        "max_deliveries": 20,
        "backoff_seconds": "5,30",
        "ordering": "none",
        "max_in_flight": 100,
        "filter": '{"types": ["order.created"], "headers": {"region": "eu"}}',
    }
    answer = browser.post(reverse("admin:consumers_consumergroup_add"), {**fields, **wrong, **NO_INLINES})
    assert answer.status_code == 200
    assert b"errorlist" in answer.content
    assert ConsumerGroup.objects.count() == 1
    # And without what is wrong it is taken.
    assert browser.post(reverse("admin:consumers_consumergroup_add"), {**fields, **NO_INLINES}).status_code == 302
    assert ConsumerGroup.objects.get(name="billing").filter == {"types": ["order.created"], "headers": {"region": "eu"}}


NO_INLINES = {
    f"{inline}-{field}": "0"
    for inline in ("offsets", "members", "grants")
    for field in ("TOTAL_FORMS", "INITIAL_FORMS")
}


def test_a_key_made_in_the_admin_is_of_use_to_its_user(browser: Client) -> None:
    user = make_user(Role.CONSUMER)
    make_stream("salaries", visibility="restricted")
    fields = {"user": user.pk, "name": "n", "expires_at_0": "", "expires_at_1": ""}
    for wrong, told in (
        ({"scopes": ["produce"], "stream_names": ""}, "no role that may use the scope produce"),
        ({"scopes": ["admin", "consume"], "stream_names": ""}, "no role that may use the scope admin"),
        ({"scopes": ["consume"], "stream_names": "salaries"}, "There is no stream salaries"),
    ):
        answer = browser.post(reverse("admin:accounts_apikey_add"), {**fields, **wrong})
        assert answer.status_code == 200
        assert told in answer.content.decode(), wrong
    assert not ApiKey.objects.exists()
    shown = browser.get(reverse("admin:accounts_apikey_add")).content.decode()
    assert "do what its other scopes say with everybody&#x27;s streams" in shown
    assert (
        "read internal streams" in browser.get(reverse("admin:accounts_user_change", args=[user.pk])).content.decode()
    )


def test_an_address_is_taken_however_it_is_typed(browser: Client) -> None:
    typed = {"email": "Ada.Lovelace@Example.COM", "usable_password": "false"}
    answer = browser.post(reverse("admin:accounts_user_add"), typed)
    ada = User.objects.get(email="ada.lovelace@example.com")
    assert answer.status_code == 302
    change = reverse("admin:accounts_user_change", args=[ada.pk])
    assert browser.post(change, {"email": "ADA@example.com", "is_active": "on"}).status_code == 302
    ada.refresh_from_db()
    assert ada.email == "ada@example.com"
    assert (
        b"already exists"
        in browser.post(reverse("admin:accounts_user_add"), typed | {"email": "ADA@Example.com"}).content
    )


def test_a_team_whose_name_makes_no_sense_is_told_what_a_name_is(browser: Client) -> None:
    answer = browser.post(reverse("admin:accounts_team_add"), {"name": "My Team"})
    assert b"The name of a team matches ^[a-z0-9]" in answer.content
    assert b"Constraint" not in answer.content


def test_the_form_of_a_group_begins_with_what_most_groups_want(browser: Client, root: User) -> None:
    stream = make_stream("orders", owner=root)
    add = reverse("admin:consumers_consumergroup_add")
    page = browser.get(add).content.decode()
    shown = dict(re.findall(r'<input type="(?:number|text)" name="(\w+)" value="([^"]*)"', page))
    fields = {"stream": stream.pk, "owner": root.pk, "name": "billing", "mode": "lease", "start": "earliest"}

    assert browser.post(add, shown | fields | {"ordering": "none"}).status_code == 302
    made = ConsumerGroup.objects.get()
    assert (made.ack_wait_seconds, made.max_failures, made.backoff_seconds) == (30, 5, [5, 30, 120, 600, 1800])
    refused = browser.post(add, shown | fields | {"name": "b", "ordering": "none", "filter": "[]"}).content.decode()
    assert "<li>An object is expected.</li>" in refused
