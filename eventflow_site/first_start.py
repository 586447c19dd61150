"""What a newcomer finds: an admin, a stream to send to, a key and a consumer group."""

import os
import secrets
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from django.db import transaction

from accounts.models import ApiKey, User
from accounts.principals import Principal
from accounts.roles import Role, Scope
from accounts.services.api_keys import create_api_key
from consumers.services.groups import GroupSettings, create_group
from streams.lookup import load_stream
from streams.models import Stream
from streams.services.lifecycle import StreamSettings, create_stream

STREAM = "demo"
GROUP = "demo-readers"
KEY_NAME = "demo"


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What there is to try EventFlow with; `api_key` only when it was made just now."""

    admin_email: str
    stream: str
    consumer_group: str
    api_key: str | None


@transaction.atomic
def prepare_first_start() -> FirstStart:
    """Create what is missing of the first admin, the demo stream, its group and its key.

    Once there is an admin, nothing is made anew: what somebody deleted stays deleted.
    """
    existing = User.objects.filter(groups__name=Role.ADMIN).order_by("pk").first()
    if existing is not None:
        return FirstStart(existing.email, STREAM, GROUP, None)
    email = _first_admins_email()
    password = os.environ.get("EVENTFLOW_ADMIN_PASSWORD") or secrets.token_urlsafe(18)
    admin = User.objects.create_user(email, password, roles=list(Role), name="Admin")
    caller = admin.as_caller()
    if not Stream.objects.filter(name=STREAM).exists():
        settings = StreamSettings(description="To try things out. Delete it when you no longer need it.")
        create_stream(caller=caller, name=STREAM, settings=settings)
    stream = load_stream(STREAM)
    if stream is not None:
        create_group(stream=stream, name=GROUP, settings=GroupSettings(), owner=Principal(user_id=admin.pk))
    secret = None
    if not ApiKey.objects.filter(user=admin, name=KEY_NAME).exists():
        scopes = [Scope.PRODUCE, Scope.CONSUME]
        secret = create_api_key(user=admin, name=KEY_NAME, scopes=scopes, stream_names=[STREAM]).secret
    return FirstStart(admin.email, STREAM, GROUP, secret)


def _first_admins_email() -> str:
    email = (os.environ.get("EVENTFLOW_ADMIN_EMAIL") or "admin@eventflow.local").strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        # Nobody could sign in with it.
        raise ImproperlyConfigured(f"EVENTFLOW_ADMIN_EMAIL is {email!r}, which is no e-mail address.") from error
    return email
