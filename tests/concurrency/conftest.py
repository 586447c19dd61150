"""Partitions and the engine for tests with real commits."""

from tests.streams.log.conftest import make_log, make_partitions, network, partition, postgres_log

__all__ = ["make_log", "make_partitions", "network", "partition", "postgres_log"]
