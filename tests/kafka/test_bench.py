"""The benchmark of streams in Kafka runs to its end; what it says of a busy machine is not looked at."""

import shutil
import subprocess
import sys

import pytest

from benchmarks.kafka.alone import LIKE

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow("starts a server, and three more that do nothing"),
    pytest.mark.skipif(shutil.which("wrk") is None, reason="it needs wrk"),
]


def test_every_load_is_answered_and_every_table_is_there(kafka_cluster):
    command = [sys.executable, "-m", "benchmarks.kafka", "--seconds", "1", "--rounds", "1"]
    ran = subprocess.run(
        [*command, "--bootstrap", kafka_cluster.addresses], capture_output=True, text=True, timeout=500, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "FAILED" not in ran.stdout
    for line in (*LIKE, "append → waiting reader", "by another client", "eight readers with full queues"):
        assert line.strip() in ran.stdout, line
