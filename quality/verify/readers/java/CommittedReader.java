import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads topics with Kafka's own consumer and `read_committed`, without a group, and prints what each
 * poll returned. `reader-process.ts` describes the output. It ends when it has read all partitions
 * up to the offsets in its first line of input, or at the end of its input, so it cannot outlive the
 * verifier.
 */
public final class CommittedReader {
  private static final Duration wait = Duration.ofMillis(200);
  /** Time in which records after the last expected one would arrive. */
  private static final Duration linger = Duration.ofMillis(400);

  private static volatile Map<TopicPartition, Long> until;

  public static void main(String[] arguments) throws Exception {
    var output = new PrintStream(System.out, false);
    var settings = new Properties();
    settings.put("bootstrap.servers", arguments[0]);
    settings.put("client.id", "orderly-verify-java");
    settings.put("isolation.level", "read_committed");
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");
    settings.put("default.api.timeout.ms", "600000");
    var bytes = new ByteArrayDeserializer();
    try (var consumer = new KafkaConsumer<byte[], byte[]>(settings, bytes, bytes)) {
      var partitions = new ArrayList<TopicPartition>();
      for (var topic : arguments[1].split(","))
        for (var partition : consumer.partitionsFor(topic))
          partitions.add(new TopicPartition(topic, partition.partition()));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      var input = new Thread(CommittedReader::readInput);
      input.setDaemon(true);
      input.start();
      var read = new HashMap<TopicPartition, Long>();
      while (!isComplete(read)) print(consumer.poll(wait), read, output);
      print(consumer.poll(linger), read, output);
    }
    System.exit(0);
  }

  /** Reads lines such as "orders.created/0=17 orders.created/1=4"; there is only one. */
  private static void readInput() {
    try (var input = new BufferedReader(new InputStreamReader(System.in))) {
      for (var line = input.readLine(); line != null; line = input.readLine()) {
        var wanted = new HashMap<TopicPartition, Long>();
        for (var part : line.split(" ")) {
          if (part.isEmpty()) continue;
          var slash = part.lastIndexOf('/');
          var equals = part.indexOf('=', slash);
          var partition = Integer.parseInt(part.substring(slash + 1, equals));
          wanted.put(
              new TopicPartition(part.substring(0, slash), partition),
              Long.parseLong(part.substring(equals + 1)));
        }
        until = wanted;
      }
    } catch (Exception error) {
      error.printStackTrace();
    }
    Runtime.getRuntime().halt(1);
  }

  private static boolean isComplete(Map<TopicPartition, Long> read) {
    var wanted = until;
    return wanted != null
        && wanted.entrySet().stream()
            .allMatch(entry -> read.getOrDefault(entry.getKey(), -1L) >= entry.getValue());
  }

  private static void print(
      ConsumerRecords<byte[], byte[]> records, Map<TopicPartition, Long> read, PrintStream output)
      throws Exception {
    if (records.isEmpty()) return;
    var digest = MessageDigest.getInstance("SHA-256");
    output.println("poll\t" + System.currentTimeMillis());
    for (var partition : records.partitions()) {
      List<ConsumerRecord<byte[], byte[]>> own = records.records(partition);
      for (var record : own) {
        var value = record.value();
        var hash = value == null ? "" : HexFormat.of().formatHex(digest.digest(value)).substring(0, 16);
        var header = record.headers().lastHeader("event-id");
        var eventID = header == null || header.value() == null ? "" : new String(header.value(), "UTF-8");
        output.println(
            String.join(
                "\t",
                record.topic(),
                Integer.toString(record.partition()),
                Long.toString(record.offset()),
                hash,
                eventID.replaceAll("\\s", " ")));
      }
      read.put(partition, own.get(own.size() - 1).offset());
    }
    output.flush();
  }
}
