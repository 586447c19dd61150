"""How each node of a test's cluster is set: promises as in production, buffers of a small machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{broker_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={directory}
# Promises: what is acknowledged is on {in_sync} of {replicas} nodes, and no stale replica ever leads.
default.replication.factor={replicas}
min.insync.replicas={in_sync}
unclean.leader.election.enable=false
auto.create.topics.enable=false
delete.topic.enable=true
log.message.timestamp.type=LogAppendTime
message.max.bytes=1048588
# A small machine: few threads, small buffers (the cleaner's own default is 128 MB of the heap).
num.network.threads=2
num.io.threads=2
num.replica.fetchers=1
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.retention.check.interval.ms=5000
offsets.topic.num.partitions=1
offsets.topic.replication.factor={replicas}
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
# Tests kill leaders: they are missed within seconds (Kafka's own: 9 s and 30 s).
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=4000
controller.quorum.election.timeout.ms=1000
controller.quorum.fetch.timeout.ms=2000
"""

LOGGING: Final = """\
status=warn
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1}: %m%n
"""


class Ports(NamedTuple):
    """Where a node listens: as a broker, and as a controller."""

    broker: int
    controller: int


def properties(node: int, ports: Sequence[Ports], directory: Path) -> str:
    """Return the settings of a node (from 1) of a cluster whose nodes have these ports."""
    voters = [f"{number}@127.0.0.1:{each.controller}" for number, each in enumerate(ports, 1)]
    return _PROPERTIES.format(
        node=node,
        voters=",".join(voters),
        broker_port=ports[node - 1].broker,
        controller_port=ports[node - 1].controller,
        directory=directory,
        replicas=min(3, len(ports)),
        in_sync=2 if len(ports) >= 3 else 1,
    )
