"""The kinds of faults: what is done to whom. The injector does them, a run in which one is missing shows too little."""

from typing import Final

FAULTS: Final[dict[str, str]] = {
    "web_worker_killed": "kill -9 of a web worker",
    "web_worker_paused": "SIGSTOP of a web worker, SIGCONT later",
    "web_parent_killed": "kill -9 of the web workers' parent",
    "web_parent_paused": "SIGSTOP of the web workers' parent, SIGCONT later",
    "celery_killed": "kill -9 of the Celery worker",
    "celery_paused": "SIGSTOP of the Celery worker, SIGCONT later",
    "beat_killed": "kill -9 of beat",
    "beat_paused": "SIGSTOP of beat, SIGCONT later",
    "postgres_killed": "kill -9 of the postmaster",
    "postgres_all_killed": "kill -9 of the postmaster and all of its backends at once",
    "postgres_paused": "SIGSTOP of PostgreSQL with all of its backends, SIGCONT later",
    "backend_killed": "kill -9 of one backend: PostgreSQL restarts itself",
    "backend_terminated": "pg_terminate_backend of some backends",
    "valkey_killed": "kill -9 of Valkey",
    "valkey_paused": "SIGSTOP of Valkey, SIGCONT later",
    "connections_cut": "all connections to PostgreSQL cut at once",
    "commit_unanswered": "a connection cut after its commit was carried out, before its answer",
    "commit_undelivered": "a connection cut after its commit was sent, before it arrived",
    "network_paused": "nothing gets through to PostgreSQL for a while, and nothing is cut",
    "network_down": "PostgreSQL's address refuses everybody for a while",
}
# What clients do by themselves: they leave.
LEAVINGS: Final[dict[str, str]] = {
    "body": "a client leaves amid its request's body",
    "answer": "a client leaves before it has the answer",
    "wait": "a client leaves while its request waits",
}
