package com.orderly.connect;

import static java.util.stream.Collectors.toSet;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/**
 * Writes events into a store. A record that cannot be written goes to the dead-letter topic, and
 * the task continues. While the store or Kafka does not respond, Connect redelivers the batch
 * without limit.
 */
public abstract class AuditTask extends SinkTask {
  private static final long RETRY_MS = 1_000;

  private AuditStore store;
  private KafkaView kafka;
  private Generations generations;

  abstract AuditStore open(Map<String, String> settings);

  @Override
  public String version() {
    return AppInfoParser.getVersion();
  }

  @Override
  public void start(Map<String, String> settings) {
    String connector = settings.get("name");
    store = open(settings);
    kafka = KafkaView.of(connector);
    generations = new Generations(kafka, store, connector, listOf(settings.get("accepted.topic.ids")));
    try {
      // Fails the task before the first record if it could not write anything, so that its state is
      // FAILED.
      generations.check(listOf(settings.get("topics")));
    } catch (RetriableException away) {
      // `open` checks again.
    }
  }

  /**
   * Rewinds a partition if the store has less than the committed offset implies: the store is empty
   * or was restored, or the offset belongs to a former generation of the topic. Invalid records
   * after the last stored event are then read and reported a second time.
   */
  @Override
  public void open(Collection<TopicPartition> partitions) {
    Map<String, Integer> current = generations.check(partitions.stream().map(TopicPartition::topic).collect(toSet()));
    Map<TopicPartition, Long> committed = kafka.committedOffsets();
    for (TopicPartition partition : partitions) {
      String topic = partition.topic();
      OptionalLong last = store.lastOffset(topic, current.get(topic), partition.partition());
      long next = last.isPresent() ? last.getAsLong() + 1 : 0;
      if (committed.getOrDefault(partition, 0L) > next) context.offset(partition, next);
    }
  }

  @Override
  public void put(Collection<SinkRecord> records) {
    if (records.isEmpty()) return;
    try {
      Map<String, Integer> current = generations.check(records.stream().map(SinkRecord::topic).collect(toSet()));
      write(records.stream().map(record -> new AuditStore.AuditRecord(current.get(record.topic()), record)).toList());
    } catch (RetriableException away) {
      context.timeout(RETRY_MS);
      throw away;
    }
  }

  /** Halves a batch that cannot be written until the faulty record is isolated. */
  private void write(List<AuditStore.AuditRecord> records) {
    try {
      store.write(records);
    } catch (DataException fault) {
      if (records.size() > 1) {
        int middle = records.size() / 2;
        write(records.subList(0, middle));
        write(records.subList(middle, records.size()));
      } else {
        report(records.get(0).record(), fault);
      }
    }
  }

  private void report(SinkRecord record, DataException fault) {
    if (context.errantRecordReporter() == null) throw new ConnectException("errors.tolerance must be all", fault);
    context.errantRecordReporter().report(record, fault);
  }

  @Override
  public void stop() {
    if (store != null) store.close();
    if (kafka != null) kafka.close();
  }

  private static Set<String> listOf(String setting) {
    if (setting == null) return Set.of();
    return Arrays.stream(setting.split(",")).map(String::strip).filter(item -> !item.isEmpty()).collect(toSet());
  }
}
