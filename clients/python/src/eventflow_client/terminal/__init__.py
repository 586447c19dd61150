"""The command `eventflow` for whoever uses an installation from a terminal: `eventflow login`, `produce`, `tail` …

Each subcommand is an entry point of the group `eventflow.commands`, which the server's package shares: a function that
takes the words after the name and returns the exit code (docs/adr/0039). What is printed on standard output is the
answer, all else goes to standard error; a key, a password or a token is in neither.
"""
