"""Signatures of webhooks, against what others have published."""

import base64
from datetime import UTC, datetime

import pytest

from observability.alerts.signing import SecretChanged, checked_secret, make_seed, mark_of, secret_of, shown, sign


def test_the_published_example_has_this_signature():
    """From the documentation of Standard Webhooks' reference libraries."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    moment = datetime.fromtimestamp(1614265330, UTC)
    body = b'{"test": 2432232314}'
    signature = sign(secret, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=int(moment.timestamp()), body=body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_channel_has_a_secret_of_its_own_that_can_be_made_again():
    one, other = make_seed(), make_seed()
    assert secret_of(one) == secret_of(one) != secret_of(other)
    assert shown(secret_of(one)).startswith("whsec_")
    assert checked_secret(one, mark_of(secret_of(one))) == secret_of(one)


def test_with_another_secret_key_it_is_said_that_it_cannot(settings):
    seed = make_seed()
    secret, mark = secret_of(seed), mark_of(secret_of(seed))
    settings.SECRET_KEY = "another one, as long as it should be"
    assert secret_of(seed) != secret
    with pytest.raises(SecretChanged):
        checked_secret(seed, mark)
