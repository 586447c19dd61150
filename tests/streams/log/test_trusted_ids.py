"""Ids are looked up before they are stored only where ids came again lately: where none did, the index tells."""

from streams.log.trust import Trust


def test_a_stream_is_trusted_until_ids_come_again_and_no_other_for_it():
    trust = Trust()
    assert trust.has(1)
    trust.distrust([1])
    assert not trust.has(1)
    assert trust.has(2)


def test_of_many_streams_those_are_forgotten_first_that_have_sent_new_ids_longest():
    trust = Trust()
    trust.distrust(range(10_000))
    trust.distrust([0])
    trust.distrust([10_000])
    assert [trust.has(stream_id) for stream_id in (0, 1, 2, 10_000)] == [False, True, False, False]
