"""Made-up events for a stream, sent at a rate."""
