"""System checks: each way to misconfigure says what is wrong, and how to mend it."""

import os
from typing import Any

from django.core import checks
from django.db import connections

from .conf import configuration, unknown_names


@checks.register()
def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Look at the setting EVENTFLOW."""
    found: list[checks.CheckMessage] = []
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
    if not 1 <= conf.batch_events <= 1000:
        found.append(
            checks.Error(
                f"EVENTFLOW['BATCH_EVENTS'] is {conf.batch_events}; a request carries 1 to 1000.",
                id="eventflow_django.E003",
            )
        )
    return found


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
