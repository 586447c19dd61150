#!/bin/sh
# Runs once, when the volume is new: EventFlow's role owns its database and is nothing else, so that whoever gets hold of its
# password can neither run programs nor read files nor other databases on the server.
set -eu
: "${EVENTFLOW_DATABASE_PASSWORD:?}"
# \getenv: an argument would be there for everybody to see in the list of processes.
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password EVENTFLOW_DATABASE_PASSWORD
CREATE ROLE eventflow LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
CREATE DATABASE eventflow OWNER eventflow;
REVOKE ALL ON DATABASE eventflow, postgres, template1 FROM PUBLIC;
SQL
