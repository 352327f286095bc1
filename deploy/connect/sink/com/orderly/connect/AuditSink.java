package com.orderly.connect;

import io.debezium.connector.jdbc.JdbcSinkConnector;
import io.debezium.connector.jdbc.JdbcSinkConnectorTask;
import java.util.Map;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.connect.connector.Task;

/**
 * Debezium's sink, which commits only how far it has written. Where the last record of a partition is no row (it was put into the
 * dead-letter topic, or filtered out) the group would have lag, and grow old, until the next event comes there.
 */
public final class AuditSink extends JdbcSinkConnector {
  @Override
  public Class<? extends Task> taskClass() {
    return AuditTask.class;
  }

  public static final class AuditTask extends JdbcSinkConnectorTask {
    /** @param delivered all that was handed to `put`, or never will be; `put` has written it unless it keeps an error for its next call */
    @Override
    public Map<TopicPartition, OffsetAndMetadata> preCommit(Map<TopicPartition, OffsetAndMetadata> delivered) {
      return getLastProcessingException() == null ? delivered : super.preCommit(delivered);
    }
  }
}
