"""What is wrong with the engines that the settings name: told by `check`, and by whatever runs it before it starts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Weakness
from django.db import DatabaseError

from streams.conf import POSTGRES
from streams.log.engines import module_of
from streams.models import Epoch, Mirror

# So many streams are named in a sentence.
_NAMED_STREAMS = 5


def check_engines(**_options: Any) -> list[CheckMessage]:
    """Look at `EVENTFLOW_ENGINES` without asking any engine."""
    return [found for alias, each in settings.EVENTFLOW_ENGINES.items() for found in _check_engine(alias, each)]


def _check_engine(alias: str, configured: Mapping[str, Any]) -> Iterator[CheckMessage]:
    path, options = configured["ENGINE"], configured.get("OPTIONS", {})
    try:
        module = module_of(path)
    except ImportError as error:
        yield Error(
            f"EVENTFLOW_ENGINES: {alias}: {path} cannot be imported: {error}.",
            hint="ENGINE is a module that ships with EventFlow, as streams.log.kafka is.",
            id="streams.E001",
        )
        return
    faults = module.find_faults(options)
    for fault in faults:
        yield Error(f"EVENTFLOW_ENGINES: {alias}: {fault}.", id="streams.E002")
    if not faults:
        for weakness in module.find_weaknesses(options):
            yield Weakness(f"EVENTFLOW_ENGINES: {alias}: {weakness}.", id="streams.W001")


def ask_engines(**_options: Any) -> list[CheckMessage]:
    """Ask the engines that `EVENTFLOW_ENGINES` names what of them should be otherwise; for `check --deploy` alone."""
    found: list[CheckMessage] = []
    for alias, configured in settings.EVENTFLOW_ENGINES.items():
        options = configured.get("OPTIONS", {})
        try:
            module = module_of(configured["ENGINE"])
        except ImportError:
            continue
        if not module.find_faults(options):
            found += [
                Weakness(f"EVENTFLOW_ENGINES: {alias}: {words}.", id="streams.W002")
                for words in module.ask_for_weaknesses(options)
            ]
    return found


def check_engines_of_streams(*, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Look for streams that lie in an engine which the settings do not name (any more)."""
    if not databases:
        return []
    try:
        there = list(
            Epoch.objects.exclude(engine__in=[POSTGRES, *settings.EVENTFLOW_ENGINES])
            .order_by("engine", "partition__stream__name")
            .values_list("engine", "partition__stream__name")
            .distinct()
        )
        mirrored = list(
            Mirror.objects.exclude(engine__in=settings.EVENTFLOW_ENGINES)
            .order_by("engine", "stream__name")
            .values_list("engine", "stream__name")
            .distinct()
        )
    except DatabaseError:
        # Not migrated yet, or away: others tell of it.
        return []
    lying: list[CheckMessage] = [
        Error(
            f"EVENTFLOW_ENGINES does not name {alias}, in which there are events of {_listed(streams)}.",
            hint="Name it again, or delete these streams first.",
            id="streams.E003",
        )
        for alias, streams in _by_alias(there).items()
    ]
    copied: list[CheckMessage] = [
        Weakness(
            f"EVENTFLOW_ENGINES does not name {alias}, into which {_listed(streams)} are mirrored: nothing is copied.",
            hint="Name it again, or delete these mirrors.",
            id="streams.W002",
        )
        for alias, streams in _by_alias(mirrored).items()
    ]
    return [*lying, *copied]


def _by_alias(found: Sequence[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    by_alias: dict[str, list[str]] = {}
    for alias, stream in found:
        by_alias.setdefault(alias, []).append(stream)
    return by_alias


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_STREAMS
    return ", ".join(names[:_NAMED_STREAMS]) + (f" and {more} more streams" if more > 0 else "")
