"""What the admin's forms for streams and groups have in common."""

from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput

from accounts.errors import DomainError
from accounts.version_forms import VersionedForm
from streams.services.lifecycle import check_name


class NamedForm(VersionedForm):
    """A form for a stream or a group: its name must have the form that all names have."""

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        try:
            check_name(name)
        except DomainError as error:
            raise forms.ValidationError(error.detail) from error
        return name


class JSONField(forms.JSONField):
    """JSON whose texts are text: half of a character that stands alone can be neither kept nor shown."""

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        if not _is_text(found):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value})
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        shown = super().bound_data(data, initial)
        return shown if _is_text(shown) else InvalidJSONInput(data)


def _is_text(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_text(name) and _is_text(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_text, value))
    return not isinstance(value, str) or value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
