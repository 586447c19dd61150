"""The limits that docs/limits.md tells are those that the code keeps to."""

import re

import pytest
from django.conf import settings

import accounts.conf
import consumers.conf
import streams.conf
from tests.conventions.commands import PROJECT

MIB = 1024 * 1024
TOLD = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", (PROJECT / "docs" / "limits.md").read_text(), re.MULTILINE))

# What a row of the table says, with each number from the code.
LIMITS = {
    "event": f"{streams.conf.MAX_EVENT_BYTES:,} bytes",
    "request": f"{streams.conf.MAX_REQUEST_EVENTS:,} events, {streams.conf.MAX_REQUEST_BYTES // MIB} MiB",
    "`key`": f"{streams.conf.MAX_KEY_BYTES} bytes",
    "`id`, `type`": f"{streams.conf.MAX_ID_CHARACTERS} characters",
    "`deliver_after`, `expires_after`": f"{streams.conf.MAX_DELAY_SECONDS // 86_400} days, "
    f"{streams.conf.MAX_LIFETIME_SECONDS // 86_400} days",
    "`headers`": f"{streams.conf.MAX_HEADERS}, each at most {streams.conf.MAX_HEADER_BYTES:,} bytes",
    "nesting": f"{streams.conf.MAX_JSON_DEPTH} levels",
    "partitions of a stream": f"{streams.conf.MAX_PARTITIONS}",
    "one poll": f"{streams.conf.MAX_READ_EVENTS:,} events, {streams.conf.MAX_READ_BYTES // MIB} MiB, "
    f"{streams.conf.MAX_WAIT_SECONDS} s",
    "one lease": f"{consumers.conf.MAX_LEASE_EVENTS:,} events, {consumers.conf.MAX_LEASE_BYTES // MIB} MiB, "
    f"{consumers.conf.MAX_LEASE_DELIVERIES} deliveries, {streams.conf.MAX_WAIT_SECONDS} s",
    "`ack_wait` of a group": f"{consumers.conf.MAX_ACK_WAIT_SECONDS // 3600} hours",
    "`filter` of a group": f"{consumers.conf.MAX_FILTER_TYPES} types",
    "events [held up by others of their key](consuming.md#the-order-of-keys) in one group": f"{settings.MAX_HELD_UP:,}",
    "requests that wait, and live streams, in one web worker": f"{consumers.conf.MAX_WAITING_REQUESTS:,}",
    "files under way (a search, the audit trail) in one web worker": f"{accounts.conf.MAX_DOWNLOADS}",
    "`deduplicate_ids` of a stream": f"{streams.conf.MAX_DEDUPLICATION_SECONDS // 86_400} days",
    "schemas of a stream": f"{streams.conf.MAX_SCHEMAS:,}, each {streams.conf.MAX_SCHEMA_BYTES // 1024} KiB",
    "mirrors of a stream": f"{streams.conf.MAX_MIRRORS}",
    "`Idempotency-Key`": f"{accounts.conf.MAX_IDEMPOTENCY_KEY_LENGTH} characters",
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_is_told_as_it_is(what):
    assert TOLD[what].startswith(LIMITS[what])


def test_no_limit_is_told_that_nobody_looks_at():
    table = (
        (PROJECT / "docs" / "limits.md")
        .read_text()
        .partition("| what | at most |\n|---|---|\n")[2]
        .partition("\n\n")[0]
    )
    assert set(re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)) == set(LIMITS)
