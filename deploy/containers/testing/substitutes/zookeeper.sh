#!/bin/sh
set -eu
cat >/etc/kafka/zookeeper.properties <<END
dataDir=/var/lib/zookeeper/data
dataLogDir=/var/lib/zookeeper/log
clientPort=$ZOOKEEPER_CLIENT_PORT
tickTime=$ZOOKEEPER_TICK_TIME
admin.enableServer=$ZOOKEEPER_ADMIN_ENABLE_SERVER
END
exec kafka-run-class.sh org.apache.zookeeper.server.quorum.QuorumPeerMain /etc/kafka/zookeeper.properties
