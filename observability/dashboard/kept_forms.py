"""What was typed and cannot be accepted yet, where no script keeps it: signed, in the page that asks to sign in.

After the sign-in people see what it is and under whose name it would be sent, and send it; nothing is sent by itself.
"""

from dataclasses import dataclass

from django.core import signing
from django.http import HttpRequest

MOST_KEPT_BYTES = 200_000
# No page shows a password again, and a file cannot be put back into a form.
SECRET_WORDS = ("password", "secret", "token")
_SALT = "eventflow.kept-form"


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form that was sent: where to, and its fields in their order."""

    address: str
    fields: tuple[tuple[str, str], ...]

    def pack(self) -> str:
        """Return it as a field of another form that nobody but us can write."""
        return signing.dumps([self.address, self.fields], salt=_SALT)


def keep_form(request: HttpRequest) -> KeptForm | None:
    """Return what a request sends, or None if that is too much, or nothing to be shown again."""
    fields = tuple(
        (name, str(value)) for name, values in request.POST.lists() if name != "csrfmiddlewaretoken" for value in values
    )
    if request.FILES or any(word in name for name, _ in fields for word in SECRET_WORDS):
        return None
    if sum(len(name.encode()) + len(value.encode()) for name, value in fields) > MOST_KEPT_BYTES:
        return None
    return KeptForm(request.get_full_path(), fields)


def unpack_form(packed: str, *, seconds: int) -> KeptForm | None:
    """Return what was packed within the last `seconds`; None if it is older or not ours."""
    try:
        address, fields = signing.loads(packed, salt=_SALT, max_age=seconds)
    except signing.BadSignature:
        return None
    return KeptForm(address, tuple((name, value) for name, value in fields))
