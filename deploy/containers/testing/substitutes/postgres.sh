#!/bin/sh
# Creates the database at the first start, as the official image does, then starts Postgres.
set -eu
export PATH="/usr/local/postgres/bin:$PATH" PGDATA=/var/lib/postgresql/18/docker
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  # shellcheck disable=SC2086 # The variable holds several arguments.
  initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 --locale=C $POSTGRES_INITDB_ARGS
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  pg_ctl --wait --options="-c listen_addresses='' -c unix_socket_directories=/run/postgresql" start
  PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")" psql --host=/run/postgresql --username="$POSTGRES_USER" --dbname=postgres \
    --command="CREATE DATABASE $POSTGRES_DB"
  pg_ctl --wait stop
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/run/postgresql
