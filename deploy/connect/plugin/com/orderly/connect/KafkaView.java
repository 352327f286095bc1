package com.orderly.connect;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.errors.RetriableException;

/**
 * Reads topic ids (KIP-516) and committed offsets from Kafka with the connection settings of the
 * connector's consumer. Connect does not pass those settings to a task. It does pass them to
 * consumer interceptors, which a connector can name:
 * `consumer.override.interceptor.classes=com.orderly.connect.KafkaView`. A task finds its
 * connection by the consumer's group.
 */
public final class KafkaView implements ConsumerInterceptor<byte[], byte[]> {
  private static final int PATIENCE_MS = 10_000;
  private static final Map<String, Map<String, Object>> CONNECTIONS = new ConcurrentHashMap<>();

  private final Admin admin;

  private final String group;

  /** Called by Connect, which then calls `configure`. */
  public KafkaView() {
    admin = null;
    group = null;
  }

  private KafkaView(Admin admin, String group) {
    this.admin = admin;
    this.group = group;
  }

  /**
   * Creates the view of a connector's task.
   * @param connector name of the connector; its consumers are in the group `connect-<name>`
   */
  static KafkaView of(String connector) {
    String group = "connect-" + connector;
    Map<String, Object> connection = CONNECTIONS.get(group);
    if (connection == null) {
      throw new ConnectException("The setting consumer.override.interceptor.classes of " + connector + " must be " + KafkaView.class.getName());
    }
    return new KafkaView(Admin.create(connection), group);
  }

  /**
   * Returns the ids of topics.
   * @throws RetriableException while Kafka does not respond or a topic is missing
   */
  Map<String, String> topicIDs(Collection<String> topics) {
    Map<String, String> ids = new HashMap<>();
    answer(admin.describeTopics(topics).allTopicNames(), "for the ids of " + topics)
        .forEach((topic, description) -> ids.put(topic, textOf(description.topicId())));
    return ids;
  }

  /** Returns the committed offsets of the connector's group; partitions without one are absent. */
  Map<TopicPartition, Long> committedOffsets() {
    Map<TopicPartition, Long> offsets = new HashMap<>();
    answer(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata(), "for the offsets of " + group)
        .forEach((partition, committed) -> {
          if (committed != null) offsets.put(partition, committed.offset());
        });
    return offsets;
  }

  private static <Answer> Answer answer(KafkaFuture<Answer> question, String purpose) {
    try {
      return question.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException | ApiException cause) {
      throw new RetriableException("Kafka cannot be asked " + purpose, cause);
    } catch (InterruptedException cause) {
      Thread.currentThread().interrupt();
      throw new RetriableException("Interrupted while asking Kafka " + purpose, cause);
    }
  }

  /**
   * Converts an id from Kafka's base64 form to the UUID form that the services and their tables
   * use.
   */
  private static String textOf(Uuid id) {
    return new UUID(id.getMostSignificantBits(), id.getLeastSignificantBits()).toString();
  }

  @Override
  public void configure(Map<String, ?> consumer) {
    Map<String, Object> connection = new HashMap<>(consumer);
    connection.keySet().retainAll(AdminClientConfig.configNames());
    connection.put(AdminClientConfig.CLIENT_ID_CONFIG, consumer.get("group.id") + "-admin");
    connection.remove(AdminClientConfig.METRIC_REPORTER_CLASSES_CONFIG);
    CONNECTIONS.put(String.valueOf(consumer.get("group.id")), connection);
  }

  @Override
  public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> records) {
    return records;
  }

  @Override
  public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {}

  @Override
  public void close() {
    if (admin != null) admin.close();
  }
}
