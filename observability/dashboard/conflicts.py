"""Forms that were filled in for settings that somebody else has changed since: both are shown, and nothing is lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from accounts.errors import LastChange
from observability.dashboard.forms import Form


@dataclass(frozen=True, slots=True)
class Conflict:
    """A setting that somebody else has changed: what it was when the form was shown, is now, and is to become.

    Attributes:
        mine: what was typed; None: it was left as it was, and so becomes what it is now.
    """

    label: str
    shown: str
    present: str
    mine: str | None


def for_version(values: Mapping[str, str], version: str) -> dict[str, str]:
    """Return what a form shows, with what it has to bring back: which version that was, and the values themselves."""
    return {**values, "version": version, "shown": orjson.dumps(dict(values)).decode()}


def expected_of(values: Mapping[str, str]) -> frozenset[str] | None:
    """Return the version that a form is meant for; None: it does not say."""
    version = values.get("version")
    return frozenset({version}) if version else None


def only_changed(wanted: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the fields that a form would change, given what it says and what it would say unchanged."""
    return {name: value for name, value in wanted.items() if name not in present or present[name] != value}


def outdated_form(
    values: Mapping[str, str],
    *,
    present: Mapping[str, str],
    version: str,
    fields: Mapping[str, tuple[str, ...]],
    last_change: LastChange | None,
    columns: Mapping[str, str],
) -> Form:
    """Return a form as if it had been opened now and what was typed been typed again.

    Args:
        present: what the form would show now.
        fields: label of a setting → the fields of the form that say it.
        last_change: who changed it, if that is known.
        columns: setting as the audit trail names it → its label, where it has one here.
    """
    shown = _shown(values)
    kept, conflicts = dict(values), []
    for label, names in fields.items():
        if not shown.keys() & names:
            continue
        was, is_now, mine = (_in_words(each, names) for each in (shown, present, values))
        if mine == was:
            kept |= {name: present.get(name, "") for name in names}
        if is_now != was:
            conflicts.append(Conflict(label, was, is_now, None if mine == was else mine))
    fresh = for_version({name: present.get(name, "") for name in shown}, version)
    again = {**kept, "version": fresh["version"], "shown": fresh["shown"]}
    names = last_change.fields if last_change else ()
    changed = ", ".join(columns.get(name, name.replace("_", " ")).lower() for name in names)
    return Form(again, conflicts=tuple(conflicts), is_outdated=True, last_change=last_change, changed=changed)


def _shown(values: Mapping[str, str]) -> dict[str, str]:
    """What the form showed; nothing if it does not say so properly."""
    try:
        shown = orjson.loads(values.get("shown", ""))
    except orjson.JSONDecodeError:
        return {}
    return {str(name): str(value) for name, value in shown.items()} if isinstance(shown, dict) else {}


def _in_words(values: Mapping[str, str], names: tuple[str, ...]) -> str:
    """A setting as one text: a number with its unit, and a dash for none."""
    texts = [values.get(name, "").strip() for name in names]
    return " ".join(texts) if texts[0] else "–"
