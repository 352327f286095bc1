#!/bin/sh
# Writes server.properties from the variables KAFKA_*, as the official image does, then starts the
# broker.
set -eu
{
  echo 'log.dirs=/var/lib/kafka/data'
  env | grep '^KAFKA_' | grep -v '^KAFKA_\(OPTS\|HEAP_OPTS\|LOG4J_OPTS\)=' | while IFS='=' read -r name value; do
    echo "$(echo "${name#KAFKA_}" | tr 'A-Z_' 'a-z.')=$value"
  done
} >/etc/kafka/kafka.properties
exec kafka-run-class.sh kafka.Kafka /etc/kafka/kafka.properties
