"""`eventflow login`, `logout` and `profiles`: a credential is checked, kept for its owner alone, and told to nobody."""

import json
import stat
import threading
import time
from datetime import timedelta

import pytest
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from tests.factories import make_key, make_user

pytestmark = pytest.mark.processes


def saved(shell) -> dict:
    return json.loads((shell.config / "profiles.json").read_text())


def test_a_key_is_checked_and_kept_for_its_owner_alone(bare, web, owner):
    key = make_key(owner)

    said = bare.ok("login", "--url", web.url, "--key-stdin", stdin=f"  {key}\n")

    assert f"{owner.email} at {web.url}: a key to consume, manage, produce, on all streams." in said.out
    assert saved(bare)["profiles"]["default"] == {"url": web.url, "key": key}
    assert stat.S_IMODE((bare.config / "profiles.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(bare.config.stat().st_mode) == 0o700
    assert key not in said.out + said.err


def test_what_is_kept_is_what_the_next_command_asks_with(bare, web, owner, orders):
    bare.ok("login", "--url", web.url, EVENTFLOW_KEY=make_key(owner))

    assert bare.ok("produce", orders, '{"n": 1}').out == f"{orders} 0/1\n"


def test_a_key_that_is_refused_is_not_kept(bare, web, owner):
    key = make_key(owner)

    said = bare.run("login", "--url", web.url, "--key-stdin", stdin=key[:-1] + ("a" if key[-1] != "a" else "b"))

    assert said.code == 3
    assert not (bare.config / "profiles.json").exists()
    assert key[:-1] not in said.err


@pytest.mark.parametrize("text", ["secret", "evf_live_é" * 3, "evf_live_abc\x00defgh", ""])
def test_what_is_no_key_is_not_repeated(bare, web, text):
    said = bare.run("login", "--url", web.url, "--key-stdin", stdin=text)

    assert said.code == 2
    assert not text or text not in said.err


def test_a_key_among_the_words_is_refused_and_not_repeated(bare):
    said = bare.run("login", "--key", "evf_live_abcdefghijkl")

    assert said.code == 2
    assert "evf_live_abcdefghijkl" not in said.err
    assert "EVENTFLOW_KEY, or --key-stdin" in said.err


def test_without_a_terminal_it_says_how_else_to_give_a_key(bare, web):
    said = bare.run("login", "--url", web.url)

    assert (said.code, "EVENTFLOW_KEY or --key-stdin" in said.err) == (2, True)


def test_a_person_signs_in_uses_and_ends_a_session(bare, web):
    person = make_user("producer", password="correct horse battery")

    said = bare.ok(
        "login", "--url", web.url, "--email", person.email, "--password-stdin", stdin="correct horse battery\n"
    )

    assert "signed in with the roles producer" in said.out
    assert bare.ok("lag").lines[0].startswith("STREAM")
    refresh = saved(bare)["profiles"]["default"]["refresh"]
    bare.ok("logout")
    assert saved(bare)["profiles"] == {}
    from eventflow_client import EventFlow, Problem

    with EventFlow(web.url, token="x") as client, pytest.raises(Problem) as ended:
        client.request("POST", "/auth/refresh", {"refresh": refresh})
    assert ended.value.status == 401


def test_a_wrong_password_is_told_by_the_exit_code(bare, web):
    person = make_user("producer", password="correct horse battery")

    said = bare.run("login", "--url", web.url, "--email", person.email, EVENTFLOW_PASSWORD="staple")

    assert (said.code, "invalid_credentials" in said.err, "staple" in said.err) == (3, True, False)


def test_an_old_token_is_renewed_once_by_commands_that_run_together(bare, web, network):
    person = make_user("consumer", password="correct horse battery")
    bare.ok("login", "--url", network.url, "--email", person.email, EVENTFLOW_PASSWORD="correct horse battery")
    before = saved(bare)
    before["profiles"]["default"]["access_ends_at"] = 0
    (bare.config / "profiles.json").write_text(json.dumps(before))

    codes = []

    def look() -> None:
        with bare.running("lag") as process:
            process.communicate(timeout=60)
            codes.append(process.returncode)

    both = [threading.Thread(target=look) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()

    assert codes == [0, 0]
    assert len(network.seen("POST .*/auth/refresh")) == 1
    assert saved(bare)["profiles"]["default"]["refresh"] != before["profiles"]["default"]["refresh"]


def test_a_token_that_is_only_good_by_a_clock_that_was_wrong_is_renewed(bare, web, network):
    person = make_user("consumer", "producer", password="correct horse battery")
    bare.ok("login", "--url", network.url, "--email", person.email, EVENTFLOW_PASSWORD="correct horse battery")
    before = saved(bare)
    old = AccessToken(before["profiles"]["default"]["access"])
    # Logged in while the clock went an hour ahead; since it was set right, the token has run out.
    old.set_exp(lifetime=timedelta(seconds=-1))
    before["profiles"]["default"] |= {"access": str(old), "access_ends_at": time.time() + 3600}
    (bare.config / "profiles.json").write_text(json.dumps(before))

    bare.ok("streams", "create", f"by-{person.pk}")
    bare.ok("lag")

    assert len(network.seen("POST .*/auth/refresh")) == 1
    assert saved(bare)["profiles"]["default"]["access"] != str(old)


def test_a_session_that_has_ended_says_how_to_begin_another(bare, web):
    person = make_user("consumer", password="correct horse battery")
    bare.ok("login", "--url", web.url, "--email", person.email, EVENTFLOW_PASSWORD="correct horse battery")
    before = saved(bare)
    before["profiles"]["default"]["access_ends_at"] = 0
    (bare.config / "profiles.json").write_text(json.dumps(before))
    User.objects.filter(pk=person.pk).update(is_active=False)

    said = bare.run("lag")

    assert (said.code, "eventflow login --profile default" in said.err) == (3, True)


def test_several_profiles_are_told_apart(bare, web, owner):
    other = make_user("consumer")
    bare.ok("login", "--url", web.url, "--profile", "mine", EVENTFLOW_KEY=make_key(owner))
    bare.ok("login", "--url", web.url, "--profile", "theirs", EVENTFLOW_KEY=make_key(other))

    assert [(each["profile"], each["is_current"]) for each in bare.ok("profiles", "--json").all_json()] == [
        ("mine", False),
        ("theirs", True),
    ]
    assert [each["is_current"] for each in bare.ok("profiles", "--use", "mine", "--json").all_json()] == [True, False]
    assert bare.run("profiles", "--use", "nobodys").code == 2


def test_a_profiles_key_is_sent_nowhere_else(bare, web, network, owner):
    bare.ok("login", "--url", web.url, EVENTFLOW_KEY=make_key(owner))

    said = bare.run("lag", EVENTFLOW_API=network.url)

    assert (said.code, f"is not sent to {network.url}" in said.err) == (2, True)
    assert network.requests == []


def test_a_file_that_others_may_read_is_not_used(bare, web, owner):
    bare.ok("login", "--url", web.url, EVENTFLOW_KEY=make_key(owner))
    (bare.config / "profiles.json").chmod(0o644)

    said = bare.run("lag")

    assert (said.code, "chmod 600" in said.err) == (2, True)


def test_a_file_that_is_broken_is_not_shown(bare):
    bare.config.mkdir()
    path = bare.config / "profiles.json"
    path.touch(0o600)
    path.write_text('{"profiles": {"default": {"url": 5, "key": "evf_live_secretsecret"')

    said = bare.run("lag")

    assert (said.code, "secretsecret" in said.err) == (2, False)


def test_without_a_credential_it_says_where_to_get_one(bare):
    said = bare.run("lag")

    assert (said.code, "eventflow login" in said.err) == (3, True)


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://example.com", "http://", "http://[", "https://ada:secret@example.com"]
)
def test_what_is_no_address_is_said_before_anything_is_sent(bare, url):
    said = bare.run("login", "--url", url, EVENTFLOW_KEY="evf_live_abcdefghijkl")

    assert said.code == 2
    assert "address" in said.err


def test_where_a_key_goes_unencrypted_it_is_said(bare):
    said = bare.run("login", "--url", "http://192.0.2.1", "--timeout", "0.1", EVENTFLOW_KEY="evf_live_abcdefghijkl")

    assert said.code == 5
    assert "is not encrypted" in said.err
