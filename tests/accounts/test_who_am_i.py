"""`GET /auth/me`: a caller is told who they are, and which version of the server they ask; nobody else is."""

import pytest
from django.test import Client

from eventflow_site.version import version
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_token

pytestmark = pytest.mark.usefixtures("db_with_commits")


def test_a_key_and_a_person_are_told_the_servers_version():
    owner = make_owner()

    for caller in (ApiClient(key=make_key(owner)), ApiClient(token=make_token(owner))):
        me = caller.get("/auth/me").json()
        assert (me["user"]["email"], me["server_version"]) == (owner.email, version())


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/auth/me", "/api/v1/nothing", "/api/v1/openapi.json"])
def test_who_has_no_credential_is_not(path):
    answer = Client().get(path)

    assert f'"{version()}"' not in answer.content.decode()
    assert version() not in str(answer.headers)
