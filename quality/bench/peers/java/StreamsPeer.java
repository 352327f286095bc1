import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/**
 * The same transformation in Kafka Streams with `exactly_once_v2` and one thread, as a stage
 * has one.
 */
final class StreamsPeer {
  static Map<String, Object> run(JsonNode task) throws Exception {
    var group = task.get("group").asText();
    var input = task.get("input").asText();
    var wanted = task.get("records").asInt();
    var stopwatch = new Peer.Stopwatch();
    var count = new AtomicInteger();
    var processed = new CompletableFuture<Void>();
    var failed = new CompletableFuture<Void>();
    var state = Files.createTempDirectory("orderly-streams");

    var builder = new StreamsBuilder();
    var bytes = Serdes.ByteArray();
    builder
        .stream(input, Consumed.with(bytes, bytes))
        .process(() -> new Reserve(task.get("reservedSchemaID").asInt(), wanted, stopwatch, count, processed))
        .to(task.get("output").asText(), Produced.with(bytes, bytes));
    try (var streams = new KafkaStreams(builder.build(), settings(task, state.toString()));
        var admin = Admin.create(Map.of("bootstrap.servers", task.get("brokers").asText()))) {
      streams.setUncaughtExceptionHandler(
          error -> {
            failed.completeExceptionally(error);
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse
                .SHUTDOWN_CLIENT;
          });
      streams.start();
      CompletableFuture.anyOf(processed, failed).get(5, TimeUnit.MINUTES);
      while (committed(admin, group, input) < wanted) Thread.sleep(2);
      var work = new HashMap<String, Object>(stopwatch.stop());
      work.put("commits", commits(streams));
      return work;
    } finally {
      try (var files = Files.walk(state)) {
        for (var file : files.sorted(java.util.Comparator.reverseOrder()).toList()) Files.delete(file);
      }
    }
  }

  private static long commits(KafkaStreams streams) {
    return Math.round(
        streams.metrics().values().stream()
            .filter(metric -> metric.metricName().group().equals("stream-thread-metrics"))
            .filter(metric -> metric.metricName().name().equals("commit-total"))
            .mapToDouble(metric -> ((Number) metric.metricValue()).doubleValue())
            .sum());
  }

  /**
   * Returns the number of processed records: the sum of the offsets, since the topic is read from
   * its beginning.
   */
  private static long committed(Admin admin, String group, String topic) throws Exception {
    var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    var sum = 0L;
    for (var entry : offsets.entrySet()) {
      if (entry.getKey().topic().equals(topic) && entry.getValue() != null) sum += entry.getValue().offset();
    }
    return sum;
  }

  private static Properties settings(JsonNode task, String stateDirectory) {
    var settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, task.get("group").asText());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, task.get("brokers").asText());
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, task.get("commitIntervalMs").asInt());
    settings.put(StreamsConfig.STATE_DIR_CONFIG, stateDirectory);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    settings.put(StreamsConfig.consumerPrefix("max.poll.records"), task.get("batch").asInt());
    settings.put(StreamsConfig.consumerPrefix("max.partition.fetch.bytes"), 2 * 1024 * 1024);
    settings.put(StreamsConfig.producerPrefix("batch.size"), 512 * 1024);
    settings.put(StreamsConfig.producerPrefix("linger.ms"), 5);
    return settings;
  }

  private static final class Reserve implements Processor<byte[], byte[], byte[], byte[]> {
    private final Events events = new Events();
    private final int schemaID;
    private final int wanted;
    private final Peer.Stopwatch stopwatch;
    private final AtomicInteger count;
    private final CompletableFuture<Void> processed;
    private ProcessorContext<byte[], byte[]> context;

    Reserve(int schemaID, int wanted, Peer.Stopwatch stopwatch, AtomicInteger count, CompletableFuture<Void> processed) {
      this.schemaID = schemaID;
      this.wanted = wanted;
      this.stopwatch = stopwatch;
      this.count = count;
      this.processed = processed;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      stopwatch.startOnce();
      try {
        var order = events.decode(record.value());
        var value = events.encodeReserved(order, order.createdAtMs(), schemaID);
        var headers = Events.headers("InventoryReserved", order.orderID(), record.headers());
        context.forward(record.withValue(value).withHeaders(headers));
      } catch (java.io.IOException error) {
        throw new java.io.UncheckedIOException(error);
      }
      if (count.incrementAndGet() < wanted) return;
      context.commit(); // immediately, so that waiting for the next interval does not count
      processed.complete(null);
    }
  }
}
