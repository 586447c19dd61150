"""What an answer means, and what of it survives being kept in a file."""

import msgspec
import pytest

from tests.faults.contract import DURABLE, REFUSED, UNKNOWN, outcome_of
from tests.faults.events import Event, base_of, envelope_of, key_of, names_of, payload_of, recognise, runs_of, type_of
from tests.faults.history import HistoryFile, load
from tests.faults.toy.simulation import Simulation


@pytest.mark.parametrize("status", [200, 201, 202, 207])
def test_a_success_is_durable(status):
    assert outcome_of(status) == DURABLE


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 411, 413, 415, 422, 429])
def test_a_refusal_is_never_stored(status):
    assert outcome_of(status) == REFUSED


@pytest.mark.parametrize("status", [None, 408, 500, 502, 503, 504])
def test_everything_else_is_unknown(status):
    assert outcome_of(status) == UNKNOWN


def test_503_is_a_refusal_only_where_it_says_so():
    assert outcome_of(503, headers={"EventFlow-Stored": "no"}) == REFUSED


def test_409_is_a_refusal_unless_the_first_request_is_under_way():
    assert outcome_of(409, code="stream_paused") == REFUSED
    assert outcome_of(409, code="idempotency_in_progress") == UNKNOWN


def test_an_event_is_known_by_its_name_and_whole_or_not():
    (name,) = names_of("p0-7", 1)
    assert base_of(name) == "p0-7"

    def came(payload: bytes, key: str | None = key_of(name)) -> str:
        return recognise(Event(0, 1, type_of(name), msgspec.Raw(payload), key))

    assert came(payload_of(name)) == name
    assert came(payload_of(name, is_edited=True)) == f"{name}!"
    assert came(payload_of(name).replace(b"1.10", b"1.1")) == f"?{name}"
    assert came(payload_of(name), key="another") == f"?{name}"
    assert came(b"[1, 2]") == "?[1,_2]"
    assert payload_of(name) in envelope_of(name)


def test_events_are_packed_into_runs_without_holes():
    assert runs_of([(0, 5, "a"), (0, 6, "b"), (0, 8, "c"), (1, 9, "d")]) == [[0, 5, "a b"], [0, 8, "c"], [1, 9, "d"]]
    assert runs_of([]) == []


def test_a_history_that_was_kept_is_the_same_history(tmp_path):
    history = Simulation(3, storm_seconds=5).run()
    file = HistoryFile(tmp_path / "history.jsonl")
    for record in history.records:
        file.add(record)
    file.close()
    assert load(tmp_path / "history.jsonl").records == history.records
