"""What the admin's forms for versioned things have in common: they are for the version that they showed."""

from collections.abc import Callable, Collection
from typing import Any, ClassVar

from django import forms

from accounts.errors import DomainError


class _ShownVersion(forms.CharField):
    """Goes along with the form, and is nothing that somebody changes in it."""

    widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class VersionedForm(forms.ModelForm):
    """A form that is refused if what it is about was changed since it was shown.

    Attributes:
        hold: keeps others from changing the thing until the transaction ends, which the admin begins before the form
            is looked at; and refuses if it has another version.
    """

    hold: ClassVar[Callable[[Any, Collection[str] | None], Any]]
    version = _ShownVersion(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["version"] = self.instance.version

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        shown = cleaned.pop("version", "")
        if self.instance.pk is not None and shown:
            try:
                type(self).hold(self.instance, {shown})
            except DomainError as error:
                raise forms.ValidationError(error.detail) from error
        return cleaned
