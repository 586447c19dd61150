"""The files in which processes count, read and written fast.

The format is prometheus_client's own (multiprocess mode); its reader takes 10 µs for each sample of each process, too
long with thousands of groups. This one remembers what a key means: keys stay the same from scrape to scrape.
"""

import json
import logging
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.utils import floatToGoString

logger = logging.getLogger(__name__)

_MAX_REMEMBERED_KEYS = 100_000


class _Key(NamedTuple):
    """What a key of a file means. `bound` is a histogram bucket's `le`, taken out of the labels."""

    metric: str
    sample: str
    labels: str
    help: str
    bound: float | None


_keys: dict[str, _Key] = {}


def read_values(file: Path) -> Iterator[tuple[str, float]]:
    """Yield each key of a file with its value; what another process is writing meanwhile may be missing.

    So may what was not on the disk yet when a machine lost its power, or a process was killed as it began the file.
    """
    try:
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
            if key:
                yield key, value
    except (struct.error, RuntimeError, UnicodeDecodeError) as error:
        logger.warning("of what is counted in %s a part cannot be read: %s", file, error)


def write_values(file: Path, values: dict[str, float]) -> None:
    """Write a new file.

    Raises:
        OSError: the disk has no room for it. Written to where it is mapped into memory, it would end the process.
    """
    entries = b"".join(_entry(key.encode(), value) for key, value in values.items())
    file.write_bytes(struct.pack("i4x", 8 + len(entries)) + entries)


def _entry(key: bytes, value: float) -> bytes:
    padded = key + b" " * (8 - (len(key) + 4) % 8)
    return struct.pack(f"i{len(padded)}sdd", len(key), padded, value, 0.0)


def kind_of(file: Path) -> str:
    """Return `counter`, `histogram` or `gauge_livesum`, of `counter_4711.db`."""
    return file.name.rpartition("_")[0]


def add_up(files: Iterable[Path]) -> dict[str, dict[str, float]]:
    """Return the sum of each key, by kind of file."""
    sums: dict[str, dict[str, float]] = {}
    for file in files:
        kind = sums.setdefault(kind_of(file), {})
        try:
            for key, value in read_values(file):
                kind[key] = kind.get(key, 0.0) + value
        except FileNotFoundError:
            # Folded since the directory was listed.
            continue
    return sums


def render_sums(sums: dict[str, dict[str, float]]) -> bytes:
    """Return sums as Prometheus' text."""
    lines: list[str] = []
    for kind, values in sorted(sums.items()):
        by_metric: dict[str, list[tuple[_Key, float]]] = {}
        for text, value in values.items():
            key = _keys.get(text) or _learn(text)
            by_metric.setdefault(key.metric, []).append((key, value))
        for metric, samples in by_metric.items():
            is_counter = kind == "counter"
            name = f"{metric}_total" if is_counter else metric
            lines.append(f"# HELP {name} {_escape_help(samples[0][0].help)}\n")
            lines.append(f"# TYPE {name} {kind.partition('_')[0]}\n")
            if kind == "histogram":
                lines += _histogram_lines(metric, samples)
            else:
                lines += [f"{key.sample}{key.labels} {_number(value)}\n" for key, value in samples]
    return "".join(lines).encode()


def _histogram_lines(metric: str, samples: list[tuple[_Key, float]]) -> Iterator[str]:
    """Files hold what fell into each bucket; the text wants what fell into it and all below, and their count."""
    by_labels: dict[str, list[tuple[float, float]]] = {}
    sums: dict[str, float] = {}
    for key, value in samples:
        if key.bound is None:
            sums[key.labels] = value
        else:
            by_labels.setdefault(key.labels, []).append((key.bound, value))
    for labels, buckets in by_labels.items():
        total = 0.0
        before = f"{labels[:-1]}," if labels else "{"
        for bound, value in sorted(buckets):
            total += value
            yield f'{metric}_bucket{before}le="{_go(bound)}"}} {_number(total)}\n'
        yield f"{metric}_count{labels} {_number(total)}\n"
        yield f"{metric}_sum{labels} {_number(sums.get(labels, 0.0))}\n"


def _learn(text: str) -> _Key:
    metric, sample, labels, explanation = json.loads(text)
    bound = labels.pop("le", None) if sample.endswith("_bucket") else None
    shown = ",".join(f'{name}="{_escape_label(value)}"' for name, value in sorted(labels.items()))
    key = _Key(metric, sample, f"{{{shown}}}" if shown else "", explanation, None if bound is None else float(bound))
    if len(_keys) >= _MAX_REMEMBERED_KEYS:
        _keys.clear()
    _keys[text] = key
    return key


def _number(value: float) -> str:
    return str(int(value)) if abs(value) < 2**53 and value == int(value) else _go(value)


def _go(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _escape_label(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _escape_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
