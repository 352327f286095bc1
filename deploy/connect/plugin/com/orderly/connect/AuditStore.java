package com.orderly.connect;

import java.util.Collection;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.sink.SinkRecord;

/**
 * A store that keeps each event by the topic, generation, partition and offset of its record. A record that is present is not written
 * again. Every method throws RetriableException while the store does not answer.
 */
interface AuditStore extends AutoCloseable {
  /** @return the generation of each topic id that was recorded, by topic id */
  Map<String, Integer> generations(String topic);

  /** Records the topic id of a generation, unless another task has done so. */
  void addGeneration(String topic, int generation, String topicID);

  /** @return the offset of the last event of a partition; empty without one */
  OptionalLong lastOffset(String topic, int generation, int partition);

  /**
   * Writes all of the records.
   * @throws DataException when one of them cannot be written as it is; some of the others may be written then
   * @throws OperatorNeeded when the position of one of them holds another event
   */
  void write(Collection<AuditRecord> records);

  @Override
  void close();

  /** A record with the generation of its topic. */
  record AuditRecord(int generation, SinkRecord record) {}
}
