import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The loop of Kafka's own example (ExactlyOnceMessageProcessor) for the comparison of clients, with
 * the protocol of competitors/worker.mjs.
 */
public final class ClientLoop {
  private static final ObjectMapper json = new ObjectMapper();
  private static final PrintStream output = System.out;
  private static final com.sun.management.OperatingSystemMXBean system =
      (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  private static JsonNode task;
  private static boolean hasHeld;
  private static long startedNs;
  private static long startedCPUNs;
  private static int startedCount;
  private static int count;
  private static int transactions;
  private static final List<Long> latenciesMs = new ArrayList<>();

  public static void main(String[] arguments) throws Exception {
    System.setOut(System.err);
    task = json.readTree(System.getenv("CLIENT_TASK"));
    try (var consumer = consumer()) {
      consumer.subscribe(List.of(task.get("input").asText()), new Joined());
      if (task.get("mode").asText().equals("read")) read(consumer);
      else loop(consumer);
    } catch (Exception error) {
      report(Map.of("event", "failed", "message", String.valueOf(error)));
      Runtime.getRuntime().halt(isFenced(error) ? 70 : 1);
    }
  }

  private static void read(KafkaConsumer<byte[], byte[]> consumer) throws Exception {
    while (true)
      for (var record : consumer.poll(Duration.ofMillis(500)))
        report(Map.of("event", "value", "value", new String(record.value())));
  }

  private static void loop(KafkaConsumer<byte[], byte[]> consumer) throws Exception {
    try (var producer = producer()) {
      producer.initTransactions();
      while (true) {
        var records = consumer.poll(Duration.ofMillis(500));
        if (records.isEmpty()) continue;
        hold("processing");
        try {
          producer.beginTransaction();
          for (var record : records)
            producer.send(new ProducerRecord<>(task.get("output").asText(), record.key(), record.value()));
          producer.sendOffsetsToTransaction(records.nextOffsets(), consumer.groupMetadata());
          hold("before-commit");
          commit(producer);
          count(records);
        } catch (ProducerFencedException | InvalidProducerEpochException | OutOfOrderSequenceException
            | AuthorizationException | FencedInstanceIdException error) {
          throw error;
        } catch (KafkaException error) {
          producer.abortTransaction();
          resetToCommitted(consumer);
        }
      }
    }
  }

  /** A commit that timed out may be repeated. */
  private static void commit(KafkaProducer<byte[], byte[]> producer) {
    for (var attempt = 1; ; attempt++)
      try {
        producer.commitTransaction();
        return;
      } catch (TimeoutException error) {
        if (attempt == 3) throw error;
      }
  }

  private static void resetToCommitted(KafkaConsumer<byte[], byte[]> consumer) {
    var committed = consumer.committed(consumer.assignment());
    for (var partition : consumer.assignment()) {
      OffsetAndMetadata offset = committed.get(partition);
      if (offset == null) consumer.seekToBeginning(List.of(partition));
      else consumer.seek(partition, offset);
    }
  }

  private static void count(ConsumerRecords<byte[], byte[]> records) throws Exception {
    if (!task.has("measure")) return;
    var nowMs = System.currentTimeMillis();
    count += records.count();
    if (startedNs == 0) {
      // Connections, caches and compilers are warm from here on.
      if (count < task.get("measure").get("from").asInt()) return;
      startedNs = System.nanoTime();
      startedCPUNs = system.getProcessCpuTime();
      startedCount = count;
      return;
    }
    transactions++;
    for (var record : records) latenciesMs.add(nowMs - record.timestamp());
    if (count < task.get("measure").get("to").asInt()) return;
    Collections.sort(latenciesMs);
    report(
        Map.of(
            "event", "done",
            "records", count - startedCount,
            "transactions", transactions,
            "seconds", (System.nanoTime() - startedNs) / 1e9,
            "cpuSeconds", (system.getProcessCpuTime() - startedCPUNs) / 1e9,
            "p50Ms", latenciesMs.get(latenciesMs.size() / 2),
            "p99Ms", latenciesMs.get((int) (latenciesMs.size() * 0.99))));
  }

  private static void hold(String point) throws Exception {
    if (hasHeld || !task.has("holdAt") || !task.get("holdAt").asText().equals(point)) return;
    hasHeld = true;
    report(Map.of("event", "held"));
    System.in.read();
  }

  private static boolean isFenced(Exception error) {
    return error instanceof ProducerFencedException || error instanceof InvalidProducerEpochException;
  }

  private static synchronized void report(Map<String, Object> message) throws Exception {
    output.println(json.writeValueAsString(message));
    output.flush();
  }

  private static final class Joined implements ConsumerRebalanceListener {
    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      try {
        report(Map.of("event", "joined"));
      } catch (Exception error) {
        throw new IllegalStateException(error);
      }
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}
  }

  private static KafkaConsumer<byte[], byte[]> consumer() {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", task.get("brokers").get(0).asText());
    settings.put("group.id", task.get("group").asText());
    settings.put("isolation.level", "read_committed");
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", false);
    // While measuring, a busy machine must not end the session.
    var sessionTimeoutMs = task.has("measure") ? 30000 : 6000;
    settings.put("session.timeout.ms", sessionTimeoutMs);
    settings.put("heartbeat.interval.ms", 500);
    // The rebalance timeout of this client.
    settings.put("max.poll.interval.ms", sessionTimeoutMs);
    settings.put("max.poll.records", 1000);
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private static KafkaProducer<byte[], byte[]> producer() {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", task.get("brokers").get(0).asText());
    settings.put("transactional.id", task.get("transactionalID").asText());
    settings.put("transaction.timeout.ms", 25000);
    settings.put("linger.ms", 5);
    return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }
}
