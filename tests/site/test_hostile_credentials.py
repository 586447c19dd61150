"""Hostile credentials: tokens, keys and sign-ins that must not be believed."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.key_material import make_key as make_key_material
from accounts.models import ApiKey, SignInAttempts, User, UserSession
from accounts.roles import Right, Role
from accounts.services.api_keys import revoke_api_key
from accounts.services.authenticate_key import forget_keys
from accounts.services.users import disable_users
from tests.client import ApiClient
from tests.factories import make_key, make_stream, make_token, make_tokens, make_user
from tests.site.hostile import assert_refused
from tests.threads import at_once

pytestmark = pytest.mark.usefixtures("db_with_commits")

PASSWORD = "a long enough password"


def me(**headers: str) -> Any:
    return Client(raise_request_exception=False).get(
        "/api/v1/auth/me", headers={n.replace("_", "-"): v for n, v in headers.items()}
    )


def bearer(token: str) -> Any:
    return me(Authorization=f"Bearer {token}")


# --- access tokens -----------------------------------------------------------------------------------


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def sign(
    claims: dict[str, Any], *, key: str | None = None, algorithm: str = "HS256", headers: dict[str, Any] | None = None
) -> str:
    """Sign by hand: the library would refuse to make most of these."""
    head = {"alg": algorithm, "typ": "JWT", **(headers or {})}
    text = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(algorithm)
    secret = settings.JWT_SIGNING_KEY if key is None else key
    signature = hmac.new(secret.encode(), text.encode(), digest).digest() if digest else b""
    return f"{text}.{_base64(signature)}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture
def user():
    return make_user(Role.PRODUCER, email="ada@example.com", password=PASSWORD)


def test_a_token_that_is_signed_by_hand_like_ours_is_believed(user):
    # Without this, the rows below would prove nothing.
    assert bearer(sign(claims_of(make_token(user)))).status_code == 200


TOKENS = {
    "alg none": lambda c: sign(c, algorithm="none"),
    "alg nOnE": lambda c: sign(c, algorithm="nOnE"),
    "alg none with our signature": lambda c: sign(c).replace(sign(c).split(".")[0], _base64(b'{"alg":"none"}')),
    "no alg": lambda c: sign(c).replace(sign(c).split(".")[0], _base64(b'{"typ":"JWT"}')),
    "HS384 with our key": lambda c: sign(c, algorithm="HS384"),
    "HS512 with our key": lambda c: sign(c, algorithm="HS512"),
    "RS256": lambda c: sign(c, algorithm="RS256"),
    "another key": lambda c: sign(c, key="another-key-of-more-than-32-characters"),
    "no key": lambda c: sign(c, key=""),
    "SECRET_KEY": lambda c: sign(c, key=settings.SECRET_KEY),
    "no exp": lambda c: sign({k: v for k, v in c.items() if k != "exp"}),
    "exp null": lambda c: sign(c | {"exp": None}),
    "exp text": lambda c: sign(c | {"exp": "never"}),
    "exp huge": lambda c: sign(c | {"exp": 10**30}),
    "exp NaN": lambda c: sign(c | {"exp": float("nan")}),
    "exp infinite": lambda c: sign(c | {"exp": float("inf")}),
    "exp a list": lambda c: sign(c | {"exp": [c["exp"]]}),
    "expired": lambda c: sign(c | {"exp": 1}),
    "expired a minute ago": lambda c: sign(c | {"exp": int(time.time()) - 60}),
    "no jti": lambda c: sign({k: v for k, v in c.items() if k != "jti"}),
    "no iss": lambda c: sign({k: v for k, v in c.items() if k != "iss"}),
    "another iss": lambda c: sign(c | {"iss": "evil"}),
    "no aud": lambda c: sign({k: v for k, v in c.items() if k != "aud"}),
    "another aud": lambda c: sign(c | {"aud": "evil"}),
    "no type": lambda c: sign({k: v for k, v in c.items() if k != "token_type"}),
    "another type": lambda c: sign(c | {"token_type": "sliding"}),
    "no sub": lambda c: sign({k: v for k, v in c.items() if k != "sub"}),
    "sub of nobody": lambda c: sign(c | {"sub": "999999999"}),
    "sub beyond any number": lambda c: sign(c | {"sub": "9" * 40}),
    "sub no number": lambda c: sign(c | {"sub": "1 OR 1=1"}),
    "sub with NUL": lambda c: sign(c | {"sub": "1\x00"}),
    "sub a list": lambda c: sign(c | {"sub": [c["sub"]]}),
    "sub an object": lambda c: sign(c | {"sub": {"pk": 1}}),
    "sub null": lambda c: sign(c | {"sub": None}),
    "not yet valid": lambda c: sign(c | {"nbf": int(time.time()) + 3600}),
    "no session": lambda c: sign({k: v for k, v in c.items() if k != "session"}),
    "session of nobody": lambda c: sign(c | {"session": "0" * 16}),
    "session with NUL": lambda c: sign(c | {"session": "\x00"}),
    "session a list": lambda c: sign(c | {"session": [c["session"]]}),
    "session null": lambda c: sign(c | {"session": None}),
    "no password stamp": lambda c: sign({k: v for k, v in c.items() if k != "hash_password"}),
    "another password stamp": lambda c: sign(c | {"hash_password": "0" * 32}),
    "crit": lambda c: sign(c, headers={"crit": ["exp"]}),
    "crit unknown": lambda c: sign(c, headers={"crit": ["evil"], "evil": 1}),
    "b64 false": lambda c: sign(c, headers={"b64": False, "crit": ["b64"]}),
    "kid of a file with another key": lambda c: sign(c, key="", headers={"kid": "../../dev/null"}),
    "jku": lambda c: sign(c, key="evil", headers={"jku": "http://127.0.0.1:9/keys"}),
    "x5u": lambda c: sign(c, key="evil", headers={"x5u": "http://127.0.0.1:9/key"}),
    "jwk": lambda c: sign(c, key="evil", headers={"jwk": {"kty": "oct", "k": _base64(b"evil")}}),
    "no signature": lambda c: sign(c).rpartition(".")[0] + ".",
    "two parts": lambda c: sign(c).rpartition(".")[0],
    "four parts": lambda c: sign(c) + ".x",
    "five parts": lambda c: sign(c) + ".x.x",
    "changed claims": lambda c: ".".join(
        [sign(c).split(".")[0], _base64(json.dumps(c | {"sub": "1"}).encode()), sign(c).split(".")[2]]
    ),
    "claims no object": lambda c: sign([c]),  # type: ignore[arg-type]
    "no JSON": lambda c: f"{_base64(b'{')}.{_base64(b'{')}.x",
    "a megabyte": lambda c: sign(c | {"x": "x" * 1_000_000}),
    "5,000 characters": lambda c: sign(c | {"x": "x" * 5_000}),
    "deep": lambda c: f"{_base64(b'[' * 1000)}.{_base64(b'{}')}.x",
    "empty": lambda c: "",
    "spaces": lambda c: "   ",
    "a key": lambda c: make_key_material()[0],
    "surrounded": lambda c: f"\t{sign(c)}\t",
    "quoted": lambda c: f'"{sign(c)}"',
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_is_not_ours_is_refused(user, name):
    token = TOKENS[name](claims_of(make_token(user)))
    assert_refused(bearer(token), 401, "invalid_credentials", sent=token)


def test_a_refresh_token_opens_nothing(user):
    assert_refused(bearer(make_tokens(user).refresh), 401, "invalid_credentials")
    access = make_token(user)
    for path in ("/auth/refresh", "/auth/logout"):
        assert_refused(ApiClient().post(path, {"refresh": access}), 401, "invalid_credentials")


def test_another_scheme_is_no_credential(user):
    token = make_token(user)
    headers = [
        "{}", " {}", "Bearer{}", "Bearer\t{}", "Bearer \t{}", "Token {}", "Basic {}", "Bearer {} ", "Bearer x {}",
    ]  # fmt: skip
    for header in [*headers, "Bearer {0},Bearer {0}", "Bearer", "Bearer ", "Bearer  ", "", "Bearer é"]:
        assert_refused(me(Authorization=header.format(token)), 401, "invalid_credentials")


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER {}", "bEaReR {}", "Bearer  {}", "bearer     {}"])
def test_the_scheme_has_any_case_and_spaces_after_it(user, header):
    assert me(Authorization=header.format(make_token(user))).status_code == 200


def test_a_user_who_is_gone_or_disabled_is_refused_at_once(user):
    token = make_token(user)
    key = make_key(user)
    assert (bearer(token).status_code, me(X_API_Key=key).status_code) == (200, 200)
    assert disable_users(User.objects.filter(pk=user.pk)) == 1
    assert_refused(bearer(token), 401, "invalid_credentials")
    assert_refused(me(X_API_Key=key), 401, "invalid_credentials")
    User.objects.filter(pk=user.pk).update(is_active=True)
    forget_keys()
    assert bearer(token).status_code == 200
    user.delete()
    forget_keys()
    assert_refused(bearer(token), 401, "invalid_credentials")
    assert_refused(me(X_API_Key=key), 401, "invalid_credentials")


def test_another_password_ends_every_token(user):
    pair = make_tokens(user)
    user.set_password("another long password")
    user.save()
    assert_refused(bearer(pair.access), 401, "invalid_credentials")
    assert_refused(ApiClient().post("/auth/refresh", {"refresh": pair.refresh}), 401, "invalid_credentials")


def test_another_role_counts_at_once_for_tokens_and_keys(user):
    clients = [ApiClient(token=make_token(user)), ApiClient(key=make_key(user))]
    for number, client in enumerate(clients):
        assert client.post("/streams", {"name": f"made-{number}"}).status_code == 201
    user.groups.set(Group.objects.filter(name=Role.CONSUMER))
    forget_keys()
    for client in clients:
        assert_refused(client.post("/streams", {"name": "made-later"}), 403, "scope_missing")


# --- refreshing ----------------------------------------------------------------------------------------


def refresh(token: str) -> Any:
    return ApiClient().post("/auth/refresh", {"refresh": token})


def let_pass(seconds: float) -> None:
    """Move the past away from now."""
    for session in UserSession.objects.all():
        UserSession.objects.filter(pk=session.pk).update(renewed_at=session.renewed_at - timedelta(seconds=seconds))


def test_using_a_refresh_token_again_ends_its_whole_session_access_tokens_included(user):
    first = make_tokens(user)
    other = make_tokens(user)
    second = refresh(first.refresh).json()
    third = refresh(second["refresh"]).json()
    for access in (first.access, second["access"], third["access"]):
        assert bearer(access).status_code == 200
    assert_refused(refresh(first.refresh), 401, "invalid_credentials")
    assert_refused(refresh(third["refresh"]), 401, "invalid_credentials")
    for access in (first.access, second["access"], third["access"]):
        assert_refused(bearer(access), 401, "invalid_credentials")
    assert refresh(other.refresh).status_code == 200
    assert bearer(other.access).status_code == 200


def test_the_last_token_again_within_seconds_gets_the_same_new_pair_and_later_ends_the_session(user):
    first = make_tokens(user)
    second = refresh(first.refresh).json()
    let_pass(8)
    again = refresh(first.refresh).json()
    # What was put off in the database, the token's own times tell.
    assert claims_of(again["refresh"])["jti"] == claims_of(second["refresh"])["jti"]
    assert bearer(again["access"]).status_code == 200
    let_pass(3)
    assert_refused(refresh(first.refresh), 401, "invalid_credentials")
    assert_refused(refresh(again["refresh"]), 401, "invalid_credentials")
    assert_refused(bearer(again["access"]), 401, "invalid_credentials")


def test_two_tabs_get_the_same_pair_to_the_letter(user):
    token = make_tokens(user).refresh
    one, two = refresh(token).json(), refresh(token).json()
    assert (one["access"], one["refresh"]) == (two["access"], two["refresh"])
    assert refresh(two["refresh"]).status_code == 200


def test_a_token_that_is_older_than_the_last_is_never_taken_for_a_race(user):
    first = make_tokens(user)
    second = refresh(first.refresh).json()
    assert refresh(second["refresh"]).status_code == 200
    assert_refused(refresh(first.refresh), 401, "invalid_credentials")
    assert_refused(refresh(second["refresh"]), 401, "invalid_credentials")


def test_signing_out_ends_the_session_access_tokens_included(user):
    first = make_tokens(user)
    second = refresh(first.refresh).json()
    assert bearer(second["access"]).status_code == 200
    assert ApiClient().post("/auth/logout", {"refresh": second["refresh"]}).status_code == 204
    assert ApiClient().post("/auth/logout", {"refresh": second["refresh"]}).status_code == 204
    assert_refused(refresh(second["refresh"]), 401, "invalid_credentials")
    for access in (first.access, second["access"]):
        assert_refused(bearer(access), 401, "invalid_credentials")


def test_a_token_costs_one_query_for_its_session_its_user_and_what_they_may(user, django_assert_num_queries):
    # And the user with roles once more, whom this answer shows.
    token = make_token(user)
    with django_assert_num_queries(3):
        assert bearer(token).status_code == 200


def test_a_refresh_token_that_was_made_by_hand_is_refused(user):
    claims = claims_of(make_tokens(user).refresh)
    for changed in (
        claims | {"jti": "0" * 32},
        {k: v for k, v in claims.items() if k != "jti"},
        claims | {"jti": 5},
        claims | {"jti": "\x00"},
        claims | {"exp": 1},
        claims | {"token_type": "access"},
        claims | {"jti": ["a"]},
        claims | {"session": "0" * 16},
        claims | {"session": None},
        claims | {"session": "\x00"},
        claims | {"session": [claims["session"]]},
        claims | {"session": claims_of(make_token(user))["session"]},
        claims | {"generation": 1},
        claims | {"generation": True},
        claims | {"generation": 10**30},
        {k: v for k, v in claims.items() if k != "generation"},
    ):
        assert_refused(refresh(sign(changed)), 401, "invalid_credentials")
    assert_refused(refresh(sign(claims, key="evil")), 401, "invalid_credentials")
    for text in ("x", "a.b.c", "é", "x" * 4096):
        assert_refused(refresh(text), 401, "invalid_credentials", sent=text)
    assert_refused(refresh("x" * 4097), 422, "invalid_request")


def test_refreshing_at_the_same_moment_gives_one_new_pair(user):
    token = make_tokens(user).refresh
    answers = at_once(*[lambda: refresh(token)] * 8)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh"] for answer in answers}) == 1


# --- API keys -----------------------------------------------------------------------------------------


def test_a_key_that_is_none_is_refused_without_a_query(user, django_assert_num_queries):
    key = make_key(user)
    last, inner = ("0" if key[at] != "0" else "1" for at in (-1, -7))
    wrong = [
        "", " ", "x", key[:-1], key[:-1] + last, key[:-7] + inner + key[-6:], key + "0", key.upper(), key.lower(),
        key.swapcase(), f" {key}", f"{key} ", f"{key}\t", key.replace("live", "test"), key.replace("evf", "EVF"),
        f"{key},{key}", f'"{key}"', f"Bearer {key}", key.replace("_", "-"), key.split("_")[2], "evf_live__",
        "evf_live_" + "é" * 12 + key[21:], "x" * 1_000_000, key.replace("_", "_\u200b", 1), "evf_live_" + "0" * 51,
    ]  # fmt: skip
    for text in wrong:
        with django_assert_num_queries(0):
            answer = me(X_API_Key=text)
        assert_refused(answer, 401, "invalid_credentials", sent=text)


def test_a_key_with_a_true_checksum_but_of_nobody_is_refused(user):
    assert_refused(me(X_API_Key=make_key_material()[0]), 401, "invalid_credentials")


def test_the_id_of_a_key_with_the_secret_of_another_is_refused(user):
    import zlib

    from accounts.key_material import ALPHABET

    mine, other = make_key(user), make_key(user)
    body = "_".join([*mine.split("_")[:3], other.split("_")[3][:32]])
    number, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        check = ALPHABET[digit] + check
    assert_refused(me(X_API_Key=body + check), 401, "invalid_credentials")
    assert me(X_API_Key=mine).status_code == 200


def test_a_key_anywhere_but_in_its_header_is_none(user):
    key = make_key(user)
    for path in (
        f"/api/v1/auth/me?api_key={key}",
        f"/api/v1/auth/me?X-API-Key={key}",
        f"/api/v1/auth/me?access_token={make_token(user)}",
    ):
        assert_refused(Client().get(path), 401, "credentials_missing", sent=key)
    assert_refused(bearer(key), 401, "invalid_credentials", sent=key)
    assert_refused(me(Cookie=f"X-API-Key={key}; access={make_token(user)}"), 401, "credentials_missing")
    body = {"stream": "orders", "payload": 1, "api_key": key}
    assert_refused(ApiClient().post("/events", body), 401, "credentials_missing", sent=key)


def test_two_credentials_are_ambiguous_even_if_both_are_true(user):
    for key in (make_key(user), "", "x"):
        for authorization in (f"Bearer {make_token(user)}", "Bearer x", ""):
            assert_refused(me(X_API_Key=key, Authorization=authorization), 400, "ambiguous_credentials")


def test_a_session_of_the_dashboard_opens_nothing_of_the_api(user):
    browser = Client()
    browser.force_login(user)
    assert_refused(browser.get("/api/v1/auth/me"), 401, "credentials_missing")
    assert_refused(browser.post("/api/v1/streams", {"name": "made"}, content_type="application/json"), 401)


@pytest.mark.parametrize("field", ["expires_at", "revoked_at"])
def test_a_key_that_has_ended_is_refused(user, field):
    key = make_key(user)
    assert me(X_API_Key=key).status_code == 200
    ApiKey.objects.update(**{field: timezone.now()})
    forget_keys()
    assert_refused(me(X_API_Key=key), 401, "invalid_credentials")


def test_a_key_is_limited_to_its_scopes_and_streams_and_to_what_its_user_may(user):
    make_stream("mine", owner=user)
    make_stream("mine-too", owner=user)
    make_stream("foreign", visibility="restricted")
    key = ApiClient(key=make_key(user, Right.PRODUCE, streams=["mine", "foreign"]))
    assert key.post("/events", {"stream": "mine", "payload": 1}).status_code == 202
    assert_refused(key.post("/events", {"stream": "mine-too", "payload": 1}), 404, "stream_not_found")
    assert_refused(key.post("/events", {"stream": "foreign", "payload": 1}), 404, "stream_not_found")
    assert_refused(key.get("/streams/mine/events"), 403, "scope_missing")
    assert_refused(key.patch("/streams/mine", {"paused": True}), 403, "scope_missing")
    assert [stream["name"] for stream in key.get("/streams").json()["data"]] == ["mine"]


# --- signing in ------------------------------------------------------------------------------------------


def login(email: Any, password: Any, address: str = "192.0.2.1", **headers: str) -> Any:
    return Client(raise_request_exception=False).post(
        "/api/v1/auth/login",
        json.dumps({"email": email, "password": password}),
        content_type="application/json",
        REMOTE_ADDR=address,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def without_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "request_id"}


def test_the_address_may_be_written_in_any_case(user):
    for email in ("ada@example.com", "Ada@Example.COM", " ada@example.com "):
        assert login(email, PASSWORD).status_code == 200


def test_an_unknown_user_a_wrong_password_and_a_disabled_user_look_the_same(user):
    make_user(email="gone@example.com", password=PASSWORD, is_active=False)
    make_user(email="keys-only@example.com")
    first = login("ada@example.com", "wrong")
    assert_refused(first, 401, "invalid_credentials")
    for email, password in [
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("keys-only@example.com", PASSWORD),
        ("ada@example.com", PASSWORD.upper()),
        ("ada@example.com", PASSWORD + " "),
        ("no address", PASSWORD),
    ]:
        answer = login(email, password)
        assert answer.status_code == 401
        assert without_id(answer) == without_id(first)


def test_an_unknown_user_costs_as_much_work_as_a_known_one(user, monkeypatch):
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    hashed = []
    encode = PBKDF2PasswordHasher.encode
    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", lambda *args, **kw: hashed.append(1) or encode(*args, **kw))
    work = {}
    make_user(email="keys-only@example.com")
    make_user(email="gone@example.com", password=PASSWORD, is_active=False)
    for email in ("ada@example.com", "nobody@example.com", "keys-only@example.com", "gone@example.com"):
        for password in ("wrong", "wrong" if email == "ada@example.com" else PASSWORD):
            hashed.clear()
            assert login(email, password).status_code == 401
            work[email, password] = len(hashed)
    assert set(work.values()) == {1}


def test_a_password_that_is_too_long_or_has_nul_is_not_hashed(user, monkeypatch):
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    def never(*args, **kw):
        raise AssertionError("it was hashed")

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", never)
    for password in ("x" * 257, "x" * 900_000):
        assert_refused(login("ada@example.com", password), 401, "invalid_credentials", sent=password)
    assert_refused(login("ada@example.com", "a\x00b"), 400, "invalid_unicode")
    assert_refused(login("ada@example.com", "x" * 1_100_000), 413, "payload_too_large")


def test_a_sign_in_that_is_none_is_refused_and_not_counted(user):
    good = {"email": "a@b.c", "password": "x"}
    bad = [{"email": 5}, {"password": 5}, {"email": None}, {"password": None}, {"email": ["a"]}, {"password": {}}]
    for fields in [*bad, {"email": "a" * 300}, {"password": ""}]:
        assert_refused(ApiClient().post("/auth/login", good | fields), 422, "invalid_request")
    assert_refused(ApiClient().post("/auth/login", good | {"role": "admin"}), 422, "unknown_field")
    for name, value in good.items():
        assert_refused(ApiClient().post("/auth/login", {name: value}), 422, "invalid_request")
    assert not SignInAttempts.objects.exists()


def test_guesses_end_at_the_limit_and_say_when_to_come_back(user):
    answers = [login("ada@example.com", f"guess {number}") for number in range(14)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 4
    assert_refused(answers[-1], 429, "login_throttled")
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 300
    # The right password does not help now, nor does another way to write the address or another header.
    assert login("ADA@example.com", PASSWORD).status_code == 429
    assert login("ada@example.com", PASSWORD, X_Forwarded_For="198.51.100.7").status_code == 429
    # Others are not concerned, and from elsewhere it still works.
    assert login("ada@example.com", PASSWORD, "198.51.100.7").status_code == 200
    make_user(email="bob@example.com", password=PASSWORD)
    assert login("bob@example.com", PASSWORD).status_code == 200


def test_an_unknown_user_is_throttled_like_a_known_one(user):
    known, unknown = ([login(email, "guess") for _ in range(12)] for email in ("ada@example.com", "nobody@example.com"))
    assert [answer.status_code for answer in known] == [answer.status_code for answer in unknown]
    assert known[-1].json()["code"] == unknown[-1].json()["code"] == "login_throttled"


def test_guesses_at_the_same_moment_do_not_pass_the_limit(user):
    answers = at_once(*[lambda: login("ada@example.com", "guess")] * 25)
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 15


def test_one_password_tried_on_many_accounts_ends_at_the_limit_of_the_address(user, monkeypatch):
    from accounts.services import sign_in_limit

    monkeypatch.setattr(sign_in_limit, "SIGN_IN_LIMIT_ADDRESS", 12)
    answers = [login(f"user{number}@example.com", "Summer2026") for number in range(15)]
    assert [answer.status_code for answer in answers] == [401] * 12 + [429] * 3
    assert login("ada@example.com", PASSWORD, "198.51.100.7").status_code == 200


def test_nobody_can_lock_a_user_out_from_elsewhere(user, monkeypatch):
    from accounts.services import sign_in_limit

    monkeypatch.setattr(sign_in_limit, "SIGN_IN_LIMIT_ADDRESS", 3)
    for number in range(120):
        login("ada@example.com", "guess", f"203.0.113.{number}")
        login("ada@example.com", "guess", "192.0.2.1")
    assert_refused(login("ada@example.com", PASSWORD, "192.0.2.1"), 429, "login_throttled")
    assert login("ada@example.com", PASSWORD, "198.51.100.7").status_code == 200


def test_a_try_that_is_refused_counts_nowhere_and_writes_nothing(user):
    for _ in range(10):
        assert login("ada@example.com", "guess").status_code == 401
    before = list(SignInAttempts.objects.order_by("subject").values_list())
    with CaptureQueriesContext(connection) as captured:
        answers = [login("ada@example.com", "guess") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {429}
    assert all(200 < int(answer.headers["Retry-After"]) <= 300 for answer in answers)
    assert [query["sql"] for query in captured if not query["sql"].startswith("SELECT")] == []
    assert list(SignInAttempts.objects.order_by("subject").values_list()) == before
    # The address has 90 tries left for other accounts: those 20 were none.
    assert sorted(tries for _, tries, _ in before) == [10, 10]


def test_the_limit_of_an_address_leaves_no_rows_for_accounts_that_were_not_tried(user, monkeypatch):
    from accounts.services import sign_in_limit

    monkeypatch.setattr(sign_in_limit, "SIGN_IN_LIMIT_ADDRESS", 5)
    for number in range(40):
        login(f"user{number}@example.com", "Summer2026")
    assert SignInAttempts.objects.count() == 5 + 1


def test_guesses_at_many_accounts_at_the_same_moment_do_not_pass_the_limit_of_the_address(user, monkeypatch):
    from accounts.services import sign_in_limit

    monkeypatch.setattr(sign_in_limit, "SIGN_IN_LIMIT_ADDRESS", 6)
    answers = at_once(*[lambda n=number: login(f"user{n}@example.com", "guess") for number in range(20)])
    assert sorted(answer.status_code for answer in answers) == [401] * 6 + [429] * 14
    assert SignInAttempts.objects.count() == 6 + 1


def test_all_addresses_of_one_ipv6_subscriber_are_one(user):
    answers = [login("ada@example.com", "guess", f"2001:db8:1:2::{number:x}") for number in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert login("ada@example.com", "guess", "2001:db8:1:2:ffff::1").status_code == 429
    assert login("ada@example.com", PASSWORD, "2001:db8:1:3::1").status_code == 200


def test_an_address_is_the_same_however_it_is_written(user, settings):
    settings.TRUSTED_PROXY_COUNT = 1
    for forwarded in ["192.0.2.9", "::ffff:192.0.2.9", "192.0.2.9:4711", "[::ffff:192.0.2.9]:4711"] * 3:
        last = login("ada@example.com", "guess", X_Forwarded_For=forwarded)
    assert last.status_code == 429


def test_signing_in_well_is_never_throttled(user, monkeypatch):
    from accounts.services import sign_in_limit

    monkeypatch.setattr(sign_in_limit, "SIGN_IN_LIMIT_ADDRESS", 3)
    assert [login("ada@example.com", PASSWORD).status_code for _ in range(8)] == [200] * 8
    # A good one forgets the failures before it.
    monkeypatch.setattr(sign_in_limit, "SIGN_IN_LIMIT_ADDRESS", 100)
    for _ in range(3):
        assert [login("ada@example.com", "wrong").status_code for _ in range(5)] == [401] * 5
        assert login("ada@example.com", PASSWORD).status_code == 200


def test_a_window_that_is_over_counts_for_nothing_and_is_swept_away(user):
    for _ in range(11):
        login("ada@example.com", "guess")
    assert login("ada@example.com", PASSWORD).status_code == 429
    SignInAttempts.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    assert login("ada@example.com", PASSWORD).status_code == 200
    old = datetime(2020, 1, 1, tzinfo=UTC)
    SignInAttempts.objects.bulk_create(SignInAttempts(subject=f"old:{n}", tries=1, ends_at=old) for n in range(25))
    for _ in range(3):
        login("ada@example.com", "guess")
    assert not SignInAttempts.objects.filter(ends_at=old).exists()


def test_the_operators_proxies_are_believed_and_nobody_before_them(user, settings):
    settings.TRUSTED_PROXY_COUNT = 1
    for number in range(10):
        assert login("ada@example.com", "guess", X_Forwarded_For=f"203.0.113.{number}, 198.51.100.7").status_code == 401
    assert login("ada@example.com", "guess", X_Forwarded_For="203.0.113.99, 198.51.100.7").status_code == 429
    assert login("ada@example.com", "guess", X_Forwarded_For="198.51.100.8").status_code == 401


def test_the_pages_that_sign_in_have_the_same_limit(user):
    statuses = []
    for _ in range(11):
        answer = Client().post("/sign-in", {"email": "ada@example.com", "password": "guess"}, REMOTE_ADDR="192.0.2.1")
        statuses.append(answer.status_code)
    assert statuses[-1] == 429
    assert set(statuses[:-1]) == {401}
    assert login("ada@example.com", PASSWORD).status_code == 429
    admin = Client().post("/admin/login/", {"username": "ada@example.com", "password": PASSWORD})
    assert admin.status_code == 302
    assert "sessionid" not in admin.cookies


@pytest.mark.processes
def test_a_header_with_an_underscore_does_not_beat_the_proxys(user):
    from tests.web_server import WebServer, exchange

    body = json.dumps({"email": "ada@example.com", "password": "guess"})
    with WebServer(EVENTFLOW_TRUSTED_PROXIES="1") as web:
        statuses = []
        for number in range(12):
            names = [
                "X_Forwarded_For: 203.0.113.{0}",
                "X-Forwarded-For: 198.51.100.7",
                "X_forwarded-For: 203.0.113.{0}",
            ]
            lines = "\r\n".join(names).format(number)
            request = (
                f"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            )
            statuses.append(exchange(web, request.encode()).status_code)
    assert statuses == [401] * 10 + [429] * 2


@pytest.mark.processes
def test_who_makes_the_proxys_word_unreadable_does_not_come_from_the_proxy(user):
    from tests.web_server import WebServer, exchange

    key = make_key(user, addresses=["127.0.0.0/8"])
    head = f"GET /api/v1/auth/me HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nX-Forwarded-For: "
    with WebServer(EVENTFLOW_TRUSTED_PROXIES="1") as web:
        statuses = [
            exchange(web, f"{head}{forwarded}\r\n\r\n".encode()).status_code
            for forwarded in ("127.0.0.9", "203.0.113.1", "é, 203.0.113.1")
        ]
    assert statuses == [200, 403, 403]


@pytest.mark.processes
def test_a_revoked_key_is_refused_by_another_worker_within_a_second(user):
    from tests.web_server import WebServer, exchange

    secret = make_key(user)
    request = f"GET /api/v1/auth/me HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {secret}\r\n\r\n".encode()
    with WebServer(workers=2) as web:
        # Both workers remember it.
        assert {exchange(web, request).status_code for _ in range(20)} == {200}
        revoke_api_key(key=ApiKey.objects.get(), now=timezone.now())
        time.sleep(1.0)
        assert {exchange(web, request).status_code for _ in range(20)} == {401}
