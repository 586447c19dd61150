"""Numbers as people read them. Pure."""


def compact(value: float | None) -> str:
    """1234567 → 1.2M; exact below ten thousand."""
    if value is None:
        return "–"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit and abs(value) >= 10_000:
            scaled = value / limit
            return f"{scaled:.0f}{unit}" if abs(scaled) >= 100 else f"{scaled:.1f}".removesuffix(".0") + unit
    return f"{value:,.0f}"


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
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f}".removesuffix(".0") + f" {unit}"
        value /= 1024
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
