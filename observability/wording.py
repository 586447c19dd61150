"""Numbers as people read them. Pure."""

from collections.abc import Sequence


def compact(value: float | None) -> str:
    """1234567 → 1.2M; exact below ten thousand."""
    if value is None:
        return "–"
    if abs(round(value)) < 10_000:
        return f"{value:,.0f}"
    return "".join(_in_units(value, 1000, ("k", "M", "G", "T"), whole_from=100))


def rate(value: float | None) -> str:
    """Events a second: two digits that matter, never a false zero."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if value < 0.01:
        return "<0.01"
    if value < 10:
        return f"{value:.2g}"
    return compact(value)


def size(value: float | None) -> str:
    """Bytes in binary units: 1536 → 1.5 KiB."""
    if value is None:
        return "–"
    if abs(round(value)) < 1024:
        return f"{value:.0f} B"
    return " ".join(_in_units(value, 1024, ("KiB", "MiB", "GiB", "TiB"), whole_from=1024))


def _in_units(value: float, step: int, units: Sequence[str], *, whole_from: int) -> tuple[str, str]:
    """Return a number as it is written, and the first unit of whose next one that is not a whole.

    It has one decimal below `whole_from`.
    """
    for unit in units:
        value /= step
        written = f"{value:.0f}" if abs(value) >= whole_from else f"{value:.1f}".removesuffix(".0")
        if abs(float(written)) < step or unit == units[-1]:
            return written, unit
    raise AssertionError("unreachable")


def duration(seconds: float | None) -> str:
    """Seconds in the two largest units that matter: 3725 → 1 h 2 min."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return "<1 s" if seconds > 0 else "0 s"
    rest = int(seconds)
    parts = []
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)


def number_of(count: int, one: str, many: str = "") -> str:
    """1 event, 3 events."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
