#!/bin/sh
# shellcheck disable=SC2086 # The variables hold several arguments.
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} ${KAFKA_OPTS:-} ${KAFKA_LOG4J_OPTS:-} -cp '/opt/kafka/libs/*' "$@"
