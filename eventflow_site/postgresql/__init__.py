"""Django's backend for PostgreSQL as EventFlow uses it (`ENGINE`)."""
