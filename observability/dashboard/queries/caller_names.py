"""Who a kept reference of a caller means, in words."""

from collections.abc import Mapping, Sequence

from accounts.models import ApiKey, User


def names_of_callers(references: Sequence[str]) -> Mapping[str, str]:
    """Return who `user:…` and `key:…` are, in two queries at most."""
    user_ids = [int(each.removeprefix("user:")) for each in references if each.startswith("user:")]
    key_ids = [each.removeprefix("key:") for each in references if each.startswith("key:")]
    names = {each: each for each in references if each}
    if user_ids:
        names |= {f"user:{pk}": email for pk, email in User.objects.filter(pk__in=user_ids).values_list("pk", "email")}
    if key_ids:
        found = ApiKey.objects.filter(pk__in=key_ids).values_list("pk", "name")
        names |= {f"key:{pk}": f"key “{name}”" for pk, name in found}
    return names
