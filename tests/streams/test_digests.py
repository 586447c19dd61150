"""An id has one digest, whatever comes in the same request."""

import uuid

import pytest

from streams.digests import digests_of

UUIDS = ["0197c0de-0000-7000-8000-00000000000a", "f47ac10b-58cc-4372-a567-0e02b2c3d479"]
ONE, OTHER = UUIDS
# As long as UUIDs, alone or with a neighbour, and none.
NEARLY = [
    ONE.upper(),
    ONE.replace("-", ""),
    f" {ONE[1:]}",
    f"{ONE[:-1]} ",
    f"{ONE[:-1]}g",
    f"{ONE[:-1]}-",
    f"-{ONE[1:]}",
    f"{ONE[:7]}-{ONE[7]}{ONE[9:]}",
    ONE.replace("-", "_"),
    ONE.replace("0", "\u0660"),
    f"{ONE[:8]} {ONE[9:]}",
    f"{ONE[:-2]}  ",
    "-" * 36,
    "0" * 36,
    "order-42-paid",
    "",
]


def one_by_one(ids):
    return [digests_of([each])[0] for each in ids]


def test_uuids_stand_for_themselves():
    assert digests_of(UUIDS) == [uuid.UUID(each).bytes for each in UUIDS]
    assert one_by_one(UUIDS) == digests_of(UUIDS)


@pytest.mark.parametrize("nearly", NEARLY)
def test_what_is_nearly_a_uuid_has_the_same_digest_alone_and_among_uuids(nearly):
    ids = [ONE, nearly, OTHER]
    assert digests_of(ids) == one_by_one(ids)
    assert len(set(digests_of(ids))) == 3


def test_two_texts_that_make_up_for_each_other_are_not_taken_for_uuids():
    # Together they have as many characters, and as many hyphens, as two UUIDs.
    for ids in (
        [ONE[:-1], f"{OTHER}a"],
        [ONE.replace("-", "a"), "-" * 4 + OTHER[4:]],
        [ONE[:18] + ONE[19:] + "-", OTHER],
    ):
        assert digests_of(ids) == one_by_one(ids)


def test_each_has_sixteen_bytes():
    assert {len(each) for each in digests_of([*UUIDS, *NEARLY])} == {16}
