"""The card "Access": a stream or a group is shared, taken back and given away from its settings page."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from consumers.models import ConsumerGroup
from streams.models import Stream
from tests.factories import make_group, make_owner, make_stream, make_team, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
STREAM = "/streams/orders"
GROUP = "/streams/orders/consumer-groups/shipping"


@pytest.fixture
def owner() -> User:
    return make_owner()


@pytest.fixture
def things(owner: User) -> dict[str, Stream | ConsumerGroup]:
    stream = make_stream("orders", owner=owner)
    return {STREAM: stream, GROUP: make_group(stream, "shipping")}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize(("base", "right"), [(STREAM, "consume"), (GROUP, "use")])
def test_it_is_shared_with_a_user_and_taken_back(owner, things, base, right):
    make_user(Role.CONSUMER, email="cy@example.com")
    client = browser(owner)
    shared = client.post(f"{base}/access", {"whom": "cy@example.com", "rights": [right]})
    assert (shared.status_code, shared["Location"]) == (302, f"{base}/settings")
    page = client.get(f"{base}/settings").content.decode()
    assert "Take back what cy@example.com may" in page

    grant = things[base].grants.get()
    assert (grant.rights, grant.granted_by) == ([right], owner.email)
    assert f'action="{base}/access/{grant.pk}/end"' in page
    assert client.post(f"{base}/access/{grant.pk}/end").status_code == 302
    assert not things[base].grants.exists()


@pytest.mark.parametrize(("base", "right"), [(STREAM, "produce"), (GROUP, "manage")])
def test_a_name_without_an_at_sign_is_a_team(owner, things, base, right):
    make_team("payments")
    assert browser(owner).post(f"{base}/access", {"whom": "payments", "rights": [right]}).status_code == 302
    assert things[base].grants.get().grantee == "payments"


@pytest.mark.parametrize("base", [STREAM, GROUP])
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"whom": "nobody@example.com", "rights": ["manage"]}, "no active user"),
        ({"whom": "nowhere", "rights": ["manage"]}, "no such team"),
        ({"whom": "", "rights": ["manage"]}, "field-error"),
        ({"whom": "payments"}, "field-error"),
        ({"whom": "payments", "rights": ["everything"]}, "field-error"),
        ({"whom": "pay\x00ments", "rights": ["manage"]}, "field-error"),
    ],
)
def test_what_is_refused_is_said_at_its_field_and_what_was_typed_stays(owner, things, base, form, said):
    make_team("payments")
    answer = browser(owner).post(f"{base}/access", form, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert said in text
    assert form["whom"].replace("\x00", "") in text.replace("\x00", "")
    assert f'action="{base}/access"' in text
    assert not things[base].grants.exists()


def test_without_scripts_a_refusal_is_a_page(owner, things):
    answer = browser(owner).post(f"{STREAM}/access", {"whom": "nowhere", "rights": ["manage"]})
    assert answer.status_code == 422
    assert "<h1" in answer.content.decode()


@pytest.mark.parametrize("base", [STREAM, GROUP])
def test_it_is_given_to_a_team_of_the_owners(owner, things, base):
    make_team("payments", owner)
    answer = browser(owner).post(f"{base}/access/owner", {"owner": "payments"})
    assert (answer.status_code, answer["Location"]) == (302, base)
    things[base].refresh_from_db()
    assert things[base].owner_name == "payments"
    assert "(team)" in browser(owner).get(f"{base}/settings").content.decode()


@pytest.mark.parametrize("base", [STREAM, GROUP])
def test_who_only_manages_it_is_not_offered_to_give_it_away(owner, things, base):
    deputy = make_owner()
    things[STREAM].grants.create(user=deputy, rights=["consume", "manage"])
    client = browser(deputy)
    assert f"{base}/access/owner" not in client.get(f"{base}/settings").content.decode()
    assert client.post(f"{base}/access/owner", {"owner": deputy.email}).status_code == 403
    assert f"{base}/access/owner" in browser(owner).get(f"{base}/settings").content.decode()


@pytest.mark.parametrize("base", [STREAM, GROUP])
@pytest.mark.parametrize("name", ["", "pay\x00ments", "a\x00@b.c", "nowhere", "x" * 300])
def test_a_new_owner_that_is_none_is_said_at_its_field(owner, things, base, name):
    answer = browser(owner).post(f"{base}/access/owner", {"owner": name}, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert 'class="field-error" id="h-owner"' in answer.content.decode()
    things[base].refresh_from_db()
    assert things[base].owner == owner
