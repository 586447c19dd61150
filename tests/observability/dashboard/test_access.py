"""Who gets in, and how everybody else is turned away."""

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver

from accounts.roles import Role
from observability.dashboard.urls import urlpatterns
from tests.factories import make_user

EXAMPLES = {
    "stream": "orders",
    "group": "billing",
    "partition": "0",
    "offset": "1",
    "type": "shop/order.created",
    "key_id": "abcdefabcdef",
    "letter_id": "1",
    "delivery_id": "1",
    "action_id": "1",
    "run_id": "1",
    "grant_id": "1",
    "session_id": "0123456789abcdef",
    "rule_id": "1",
    "channel_id": "1",
    "move_id": "1",
}
OPEN = {"/sign-in"}
# A script alone asks for it, and reads no page: it is refused as under the API.
FOLLOWED = {"/streams/orders/tail/live"}


def addresses(patterns=urlpatterns, prefix: str = "/") -> list[str]:
    found = []
    for each in patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            found += addresses(each.url_patterns, route)
        elif isinstance(each, URLPattern):
            for name, value in EXAMPLES.items():
                for kind in ("str", "int", "path"):
                    route = route.replace(f"<{kind}:{name}>", value)
            found.append(route)
    return found


@pytest.mark.parametrize("address", [each for each in addresses() if each not in OPEN])
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.django_db
def test_a_stranger_is_led_to_the_sign_in(address, method):
    response = getattr(Client(), method)(address)

    if address in FOLLOWED:
        assert response.status_code == (401 if method == "get" else 405)
    elif address == "/sign-out" and method == "get":
        assert response.status_code == 405
    else:
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in")


@pytest.mark.parametrize("address", addresses())
@pytest.mark.django_db
def test_a_post_without_a_csrf_token_is_refused(address):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(*Role), "django.contrib.auth.backends.ModelBackend")

    assert client.post(address).status_code == (405 if address in FOLLOWED else 403)


@pytest.mark.parametrize("address", [each for each in addresses() if "orders" in each])
@pytest.mark.django_db
def test_a_stream_that_is_hidden_is_missing(address):
    """The same answer as for a stream that does not exist."""
    client = Client()
    client.force_login(make_user(Role.PRODUCER, Role.CONSUMER), "django.contrib.auth.backends.ModelBackend")

    response = client.get(address)

    assert response.status_code in (404, 405)


@pytest.mark.django_db
def test_a_script_of_a_session_that_ended_is_led_to_the_sign_in():
    response = Client().get("/streams", headers={"HX-Request": "true"})

    assert response["HX-Redirect"] == "/sign-in"


@pytest.mark.django_db
def test_a_refusal_tells_a_script_in_a_toast_and_a_person_on_a_page():
    client = Client()
    client.force_login(make_user(Role.CONSUMER), "django.contrib.auth.backends.ModelBackend")

    page = client.get("/streams/nowhere")
    toast = client.get("/streams/nowhere", headers={"HX-Request": "true"})

    assert page.status_code == toast.status_code == 404
    assert b"Stream not found" in page.content
    assert "Stream not found" in toast["HX-Trigger"]


@pytest.mark.django_db
def test_a_region_that_has_not_changed_is_not_sent_again():
    client = Client()
    client.force_login(make_user(Role.CONSUMER), "django.contrib.auth.backends.ModelBackend")
    asking = {"HX-Request": "true", "HX-Target": "region"}
    first = client.get("/streams", headers=asking)
    again = client.get("/streams", headers=asking | {"EventFlow-Version": first["EventFlow-Version"]})

    assert first.status_code == 200
    assert again.status_code == 204
    assert again.content == b""
