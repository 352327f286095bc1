#!/bin/sh
# Runs a Java server: java-server.sh COMMAND [ARGUMENT]...
#
# Java exits with code 143 after SIGTERM, although it has stopped as it should. Engines and their
# users read that as a failure, so this script exits with 0 in that case. Every other code stays.
"$@" &
server=$!
stopping=no
trap 'stopping=yes; kill -TERM "$server" 2>/dev/null' TERM INT

# A signal ends `wait` while the server is still stopping.
wait "$server"
code=$?
while kill -0 "$server" 2>/dev/null; do
  wait "$server"
  code=$?
done
[ "$stopping$code" = yes143 ] && exit 0
exit "$code"
