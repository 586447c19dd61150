"""What may be said of a Kafka engine, and what is refused before anything starts."""

import pytest

from streams.log.kafka.configuration import (
    HIDDEN,
    KafkaOptions,
    find_faults,
    find_weakness_of_brokers,
    find_weaknesses,
    read_options,
    redact,
)

GOOD = {"bootstrap_servers": "kafka-1:9092,kafka-2:9092,[::1]:9092"}


def test_addresses_are_enough():
    options = read_options(GOOD)
    assert (options.replication_factor, options.min_in_sync_replicas, options.is_durable) == (3, 2, True)
    assert options.for_all() == {"bootstrap.servers": GOOD["bootstrap_servers"]}


def test_an_installations_own_properties_come_with_the_addresses():
    options = read_options({**GOOD, "client": {"security.protocol": "SASL_SSL", "sasl.username": "eventflow"}})
    assert options.for_all()["security.protocol"] == "SASL_SSL"
    assert options.for_all()["bootstrap.servers"] == GOOD["bootstrap_servers"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "bootstrap_servers has to be the brokers' addresses"),
        ({"bootstrap_servers": "kafka-1"}, "bootstrap_servers"),
        ({"bootstrap_servers": "kafka-1:9092, kafka-2:9092"}, "bootstrap_servers"),
        ({"bootstrap_servers": ["kafka-1:9092"]}, "bootstrap_servers"),
        ({"bootstrap_servers": "http://kafka-1:9092"}, "bootstrap_servers"),
        ({**GOOD, "brokers": 3}, "brokers is no option of a Kafka engine; there are bootstrap_servers, topic_prefix"),
        ({**GOOD, "topic_prefix": "a/b"}, "topic_prefix may have"),
        ({**GOOD, "topic_prefix": "x" * 65}, "topic_prefix may have"),
        ({**GOOD, "replication_factor": 33}, "replication_factor has to be a whole number from 1 to 32"),
        ({**GOOD, "replication_factor": "3"}, "replication_factor has to be a whole number"),
        ({**GOOD, "readers": True}, "readers has to be a whole number"),
        ({**GOOD, "cache_bytes": -1}, "cache_bytes has to be a whole number from 0"),
        ({**GOOD, "replication_factor": 1}, "min_in_sync_replicas is 2, and there are only 1 replicas"),
        ({**GOOD, "producer": "acks=1"}, "producer has to be a table"),
        ({**GOOD, "client": {"error_cb": print}}, "client: error_cb has to be a text"),
    ],
)
def test_options_that_cannot_be_used_are_named(given, words):
    [fault] = find_faults(given)
    assert words in fault
    with pytest.raises(ValueError, match=r"has|is|may"):
        read_options(given)


@pytest.mark.parametrize("kind", ["client", "producer", "consumer"])
@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("acks", [0, 1, "1", "leader"], ["all", "ALL", -1, "-1"]),
        ("request.required.acks", [1], ["all"]),
        ("enable.idempotence", [False, "false", 0], [True, "true"]),
        ("message.timeout.ms", [0, 999, 10_000, "10000", 300_000, "soon"], [1_000, 9_999, "8000"]),
        ("delivery.timeout.ms", [0, 120_000], [8_000]),
        ("fetch.queue.backoff.ms", [0, "0"], [1, 1_000]),
        ("max.in.flight", [0, 6, 1_000_000], [1, 5]),
        ("max.in.flight.requests.per.connection", [6], [5]),
        ("message.max.bytes", [1_000_000], [1_048_588, 4_000_000]),
    ],
)
def test_what_the_promises_rest_on_has_its_bounds(kind, name, bad, good):
    for value in bad:
        [fault] = find_faults({**GOOD, kind: {name: value}})
        assert fault.startswith(f"{kind}: {name} has to be "), value
    for value in good:
        assert find_faults({**GOOD, kind: {name: value}}) == [], value


@pytest.mark.parametrize(
    "name",
    [
        "bootstrap.servers",
        "metadata.broker.list",
        "transactional.id",
        "group.id",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "auto.offset.reset",
        "enable.partition.eof",
        "allow.auto.create.topics",
        "delivery.report.only.error",
        "enable.gapless.guarantee",
    ],
)
def test_what_is_the_engines_own_cannot_be_set_and_the_reason_is_told(name):
    [fault] = find_faults({**GOOD, "client": {name: "x"}})
    assert fault.startswith(f"client: {name} cannot be set: ")


def test_all_faults_are_told_at_once():
    with pytest.raises(ValueError) as refused:
        read_options({"readers": 0, "producer": {"acks": 1, "enable.idempotence": False}})
    assert len(str(refused.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("replicas", "in_sync", "words"),
    [
        (3, 2, []),
        (5, 3, []),
        (3, 3, ["stops all appends"]),
        (2, 2, ["with less than 3", "stops all appends"]),
        (3, 1, ["lost with one broker"]),
        (1, 1, ["with less than 3", "lost with one broker"]),
    ],
)
def test_what_is_weaker_than_it_should_be_is_told(replicas, in_sync, words):
    options = KafkaOptions("kafka:9092", replication_factor=replicas, min_in_sync_replicas=in_sync)
    found = find_weaknesses(options)
    assert len(found) == len(words)
    assert all(word in fault for word, fault in zip(words, found, strict=True))
    assert options.is_durable == (in_sync >= 2)


def test_brokers_that_are_missed_later_than_appends_wait_are_told():
    options = KafkaOptions("kafka:9092")
    assert find_weakness_of_brokers(options, session_timeout_ms=6_000) == ""
    assert "9000, and appends wait for 8000" in find_weakness_of_brokers(options, session_timeout_ms=9_000)
    patient = KafkaOptions("kafka:9092", producer={"message.timeout.ms": "9500"})
    assert find_weakness_of_brokers(patient, session_timeout_ms=9_000) == ""


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "sasl.username",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.certificate.pem",
        "ssl.keystore.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.jaas.config",
    ],
)
def test_secrets_are_never_shown(name):
    given = {**GOOD, "client": {name: "hush", "security.protocol": "SASL_SSL"}, "readers": 8}
    shown = redact(given)
    assert shown == {**GOOD, "client": {name: HIDDEN, "security.protocol": "SASL_SSL"}, "readers": 8}
    assert given["client"][name] == "hush"
