"""What a person may not do with a group is not offered by its pages, and refused where it is sent all the same."""

import pytest
from django.test import Client

from accounts.roles import Role
from consumers.models import ConsumerGroup, DeadLetter
from tests.factories import make_dead_letter, make_group, make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

COMMANDS = ["seek", "settings", "delete", "consume"]
SHARING = ["access", "access/owner", "access/1/end"]
FORMS = [
    "seek",
    "pause",
    "settings",
    "delete",
    "acknowledge-loss",
    *SHARING,
    "deliveries/1/retry-now",
    "deliveries/1/release",
    *(f"consume/{verb}" for verb in ("commit", "park", "lease", "end", "release-held")),
]


@pytest.fixture
def group():
    return make_group(make_stream("orders"), "shipping", mode="lease", owner=make_owner())


def browser(user) -> Client:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def reader(group):
    return browser(make_user(Role.CONSUMER))


def address(name: str) -> str:
    return f"/streams/orders/consumer-groups/shipping/{name}"


def test_a_readers_page_of_the_group_offers_nothing_to_press(reader, group):
    page = reader.get("/streams/orders/consumer-groups/shipping")
    assert page.status_code == 200
    for command in [*COMMANDS, "pause"]:
        assert address(command) not in page.content.decode()
    assert group.owner.email in page.content.decode()
    owners = browser(group.owner).get("/streams/orders/consumer-groups/shipping").content.decode()
    for command in ("seek", "settings", "consume", "pause"):
        assert address(command) in owners


@pytest.mark.parametrize("name", COMMANDS)
def test_a_readers_question_is_refused(reader, group, name):
    assert reader.get(address(name)).status_code == 403
    assert browser(group.owner).get(address(name)).status_code == 200


@pytest.mark.parametrize("name", FORMS)
def test_a_readers_form_is_refused_and_changes_nothing(reader, group, name):
    offsets = {"to": "latest", "paused": "on", "offsets": "0=0", "partition": "0", "offset": "1"}
    assert reader.post(address(name), offsets).status_code == 403
    assert not ConsumerGroup.objects.get().is_paused


def test_a_reader_sees_a_dead_letter_and_can_do_nothing_about_it(reader, group):
    letter = make_dead_letter(group)
    for page in (f"/dead-letters/{letter.pk}", "/dead-letters"):
        shown = reader.get(page)
        assert shown.status_code == 200
        for verb in ("/redrive", "/discard", "/resolve"):
            assert verb not in shown.content.decode()
    for verb in ("redrive", "resolve", "discard"):
        assert reader.post(f"/dead-letters/{letter.pk}/{verb}", {"payload": "1"}).status_code == 403
    for verb in ("redrive", "discard"):
        assert reader.post(f"/dead-letters/{verb}", {"id": letter.pk}).status_code == 403
        assert reader.get(f"/dead-letters/{verb}", {"scope": "all"}).status_code == 403
    assert DeadLetter.objects.get().status == "open"


def test_a_selection_leaves_out_the_dead_letters_of_others(reader, group):
    user = make_user(Role.CONSUMER)
    own = make_dead_letter(make_group(group.stream, "own", mode="lease", owner=user))
    others = make_dead_letter(group)
    browser(user).post("/dead-letters/discard", {"id": [own.pk, others.pk]})
    assert dict(DeadLetter.objects.values_list("pk", "status")) == {own.pk: "discarded", others.pk: "open"}
