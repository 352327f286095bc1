#!/bin/sh
# Writes server.properties from the environment and formats the folder of the log with the class of
# the official image, then starts the broker.
set -eu
export CLUSTER_ID="${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}"
if ! result=$(KAFKA_OPTS='' KAFKA_HEAP_OPTS='' kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup \
  --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1); then
  # After a restart; the configuration was written before.
  case $result in *'already formatted'*) ;; *) echo "$result" >&2 && exit 1 ;; esac
fi
exec kafka-run-class.sh kafka.Kafka /opt/kafka/config/server.properties
