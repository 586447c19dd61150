"""What the admin's forms for named things have in common."""

from django import forms

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
