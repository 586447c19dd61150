"""Copying streams into topics: leases on mirrors, one thread for each that this process has, and what it does."""
