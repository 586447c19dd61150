"""The engine on the Kafka protocol. Nothing here is imported unless an engine of this kind is configured.

Kafka holds records, and nothing else: partitions, epochs, receipts, groups and leases are PostgreSQL's. No consumer
group of Kafka's is joined and no transaction of its is begun.
"""
