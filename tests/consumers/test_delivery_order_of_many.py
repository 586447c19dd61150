"""Each order of a list of deliveries is read from an index, however many there are."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consumers.delivery_order import DeliverySort, list_first_deliveries

pytestmark = pytest.mark.slow("fills a group with 40,000 deliveries")


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("sort", DeliverySort)
def test_the_beginning_of_a_long_list_is_read_from_the_end_of_an_index(crowded, sort, is_descending):
    with CaptureQueriesContext(connection) as asked:
        found = list_first_deliveries(crowded, sort, is_descending=is_descending, limit=31)
    assert len(found) == 31
    assert 1 <= len(asked) <= 6

    for query in asked.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(
                f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) {query['sql'].replace('%', '%%')}", []
            )
            ((plan,),) = cursor.fetchall()
        scans = list(scans_of(plan[0]["Plan"]))
        assert scans
        for scan in scans:
            assert scan.get("Index Name", "").startswith("delivery_"), scan
            # None reads more than it shows, but for a handful that one part passes by for another.
            assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) <= 100, scan


def scans_of(node: dict[str, Any]) -> Any:
    """What the plan reads of the deliveries themselves."""
    if node.get("Relation Name") == "consumers_delivery":
        yield node
    for child in node.get("Plans", []):
        yield from scans_of(child)
