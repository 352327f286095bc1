import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The consume-transform-produce loop of KIP-447 with the plain client, one transaction per
 * poll.
 */
final class StagePeer {
  static Map<String, Object> run(JsonNode task) throws Exception {
    var events = new Events();
    var stopwatch = new Peer.Stopwatch();
    var output = task.get("output").asText();
    var schemaID = task.get("reservedSchemaID").asInt();
    var wanted = task.get("records").asInt();
    try (var consumer = consumer(task); var producer = producer(task)) {
      consumer.subscribe(List.of(task.get("input").asText()));
      producer.initTransactions();
      var commits = 0;
      for (var done = 0; done < wanted; ) {
        var records = consumer.poll(Duration.ofSeconds(1));
        if (records.isEmpty()) continue;
        stopwatch.startOnce();
        producer.beginTransaction();
        for (var record : records) {
          var order = events.decode(record.value());
          var value = events.encodeReserved(order, order.createdAtMs(), schemaID);
          var headers = Events.headers("InventoryReserved", order.orderID(), record.headers());
          producer.send(new ProducerRecord<>(output, null, record.key(), value, headers));
        }
        producer.sendOffsetsToTransaction(nextOffsets(records), consumer.groupMetadata());
        producer.commitTransaction();
        done += records.count();
        commits++;
      }
      var result = new HashMap<>(stopwatch.stop());
      result.put("commits", commits);
      return result;
    }
  }

  static Map<TopicPartition, OffsetAndMetadata> nextOffsets(ConsumerRecords<byte[], byte[]> records) {
    return records.nextOffsets();
  }

  static KafkaConsumer<byte[], byte[]> consumer(JsonNode task) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", task.get("brokers").asText());
    settings.put("group.id", task.get("group").asText());
    settings.put("isolation.level", "read_committed");
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", false);
    settings.put("max.poll.records", task.get("batch").asInt());
    settings.put("max.partition.fetch.bytes", 2 * 1024 * 1024);
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  static KafkaProducer<byte[], byte[]> producer(JsonNode task) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", task.get("brokers").asText());
    settings.put("transactional.id", task.get("group").asText());
    settings.put("linger.ms", 5);
    settings.put("batch.size", 512 * 1024);
    return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }
}
