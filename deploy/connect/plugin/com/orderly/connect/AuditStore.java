package com.orderly.connect;

import java.util.Collection;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.sink.SinkRecord;

/**
 * Stores each event under the topic, generation, partition and offset of its record. A stored
 * record is not written again. Every method throws RetriableException while the store does not
 * respond.
 */
interface AuditStore extends AutoCloseable {
  /** Returns the recorded generations of a topic, by topic id. */
  Map<String, Integer> generations(String topic);

  /** Records the topic id of a generation, unless another task has already recorded one. */
  void addGeneration(String topic, int generation, String topicID);

  /** Returns the offset of the last stored event of a partition; empty if there is none. */
  OptionalLong lastOffset(String topic, int generation, int partition);

  /**
   * Writes the records.
   * @throws DataException when a record cannot be written; some of the others may have been written
   * @throws OperatorNeeded when a different event is stored at the position of a record
   */
  void write(Collection<AuditRecord> records);

  @Override
  void close();

  /** A record with the generation of its topic. */
  record AuditRecord(int generation, SinkRecord record) {}
}
