"""System checks: each way to misconfigure says what is wrong, and how to mend it."""

import math
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.db import connections

from .conf import Configuration, configuration, unknown_names


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


# What comes from the environment is text: `"5"` is no number.
_EXPECTED: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "url": (lambda value: value is None or str(value).startswith(("http://", "https://")), "http://… or https://…"),
    # Never told, whatever it is.
    "key": (_is_text, "text"),
    "batch_bytes": (lambda value: isinstance(value, int) and value > 0, "a whole number above 0"),
    "attempt_seconds": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "pause_seconds": (lambda value: _is_number(value) and value >= 0, "a number, 0 or more"),
    "longest_pause_seconds": (lambda value: _is_number(value) and value >= 0, "a number, 0 or more"),
}


@checks.register()
def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Look at the setting EVENTFLOW."""
    found: list[checks.CheckMessage] = []
    if not isinstance(written := getattr(settings, "EVENTFLOW", {}), Mapping):
        found.append(
            checks.Error(
                f"EVENTFLOW is a {type(written).__name__}, and no dictionary.",
                hint="EVENTFLOW = {} is enough; the names are in docs/django.md.",
                id="eventflow_django.E004",
            )
        )
    if unknown := unknown_names():
        found.append(
            checks.Error(
                f"EVENTFLOW has {', '.join(unknown)}, which nobody understands.",
                hint="The names are in docs/django.md.",
                id="eventflow_django.E001",
            )
        )
    conf = configuration()
    if not conf.key and not os.environ.get("EVENTFLOW_KEY"):
        found.append(
            checks.Warning(
                "There is no API key: nothing can be sent or consumed.",
                hint="Set EVENTFLOW['KEY'], or EVENTFLOW_KEY in the environment of the relay and the consumers.",
                id="eventflow_django.W001",
            )
        )
    if conf.database not in connections:
        found.append(
            checks.Error(
                f"EVENTFLOW['DATABASE'] is {conf.database!r}, which DATABASES does not have.",
                hint="Name the alias of the database whose transactions publish.",
                id="eventflow_django.E002",
            )
        )
    if not (isinstance(conf.batch_events, int) and 1 <= conf.batch_events <= 1000):
        found.append(
            checks.Error(
                f"EVENTFLOW['BATCH_EVENTS'] is {conf.batch_events!r}; a request carries 1 to 1000.",
                id="eventflow_django.E003",
            )
        )
    found.extend(_unfit(conf))
    return found


def _unfit(conf: Configuration) -> list[checks.CheckMessage]:
    unfit: list[checks.CheckMessage] = []
    for name, (is_fit, what) in _EXPECTED.items():
        value = getattr(conf, name)
        if not is_fit(value):
            told = f"a {type(value).__name__}" if name == "key" else repr(value)
            unfit.append(
                checks.Error(f"EVENTFLOW[{name.upper()!r}] is {told}; it is {what}.", id="eventflow_django.E005")
            )
    return unfit


@checks.register(checks.Tags.database)
def check_database(*, databases: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """Look at what the outbox's database can do."""
    alias = configuration().database
    if alias not in (databases or ()) or alias not in connections:
        return []
    if connections[alias].features.has_select_for_update_skip_locked:
        return []
    return [
        checks.Warning(
            f"{connections[alias].display_name} cannot skip locked rows: two relays would get in each other's way.",
            hint="Run one relay, or use PostgreSQL.",
            id="eventflow_django.W002",
        )
    ]
