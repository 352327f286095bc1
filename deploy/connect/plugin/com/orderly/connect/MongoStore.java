package com.orderly.connect;

import com.mongodb.MongoBulkWriteException;
import com.mongodb.MongoException;
import com.mongodb.MongoWriteException;
import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.MongoDatabase;
import com.mongodb.client.model.Indexes;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.sink.SinkRecord;
import org.bson.BsonSerializationException;
import org.bson.Document;

/**
 * Stores events in MongoDB, one collection per topic. The id of a document is the topic,
 * generation, partition and offset of its record.
 */
final class MongoStore implements AuditStore {
  private static final int DUPLICATE_KEY = 11000;
  private static final String GENERATIONS = "topic_generations";

  private final MongoClient client;
  private final MongoDatabase database;

  MongoStore(Map<String, String> settings) {
    client = MongoClients.create(settings.get("connection.uri"));
    database = client.getDatabase(settings.getOrDefault("database", "audit")).withWriteConcern(WriteConcern.MAJORITY);
  }

  @Override
  public Map<String, Integer> generations(String topic) {
    return patiently(() -> {
      Map<String, Integer> generations = new HashMap<>();
      for (Document found : database.getCollection(GENERATIONS).find(new Document("topic", topic))) {
        generations.put(found.getString("topicID"), found.getInteger("generation"));
      }
      return generations;
    });
  }

  @Override
  public void addGeneration(String topic, int generation, String topicID) {
    Document added = new Document("_id", topic + "#" + generation)
        .append("topic", topic)
        .append("generation", generation)
        .append("topicID", topicID)
        .append("startedAt", new Date());
    patiently(() -> {
      try {
        return database.getCollection(GENERATIONS).insertOne(added);
      } catch (MongoWriteException refused) {
        if (refused.getCode() != DUPLICATE_KEY) throw refused;
        return null;
      }
    });
  }

  @Override
  public OptionalLong lastOffset(String topic, int generation, int partition) {
    MongoCollection<Document> collection = database.getCollection(topic);
    return patiently(() -> {
      collection.createIndex(Indexes.ascending("recordGeneration", "recordPartition", "recordOffset"));
      Document last = collection
          .find(new Document("recordGeneration", generation).append("recordPartition", partition))
          .sort(new Document("recordOffset", -1))
          .first();
      return last == null ? OptionalLong.empty() : OptionalLong.of(last.getLong("recordOffset"));
    });
  }

  @Override
  public void write(Collection<AuditRecord> records) {
    Map<String, List<Document>> byTopic = new LinkedHashMap<>();
    for (AuditRecord audited : records) {
      byTopic.computeIfAbsent(audited.record().topic(), topic -> new ArrayList<>()).add(documentOf(audited));
    }
    byTopic.forEach((topic, documents) -> patiently(() -> insertMissing(database.getCollection(topic), documents)));
  }

  /** Inserts the missing documents. A redelivered record finds its document. */
  private static Void insertMissing(MongoCollection<Document> collection, List<Document> documents) {
    List<Object> ids = documents.stream().map(document -> document.get("_id")).toList();
    Map<Object, Document> present = new HashMap<>();
    for (Document found : collection.find(new Document("_id", new Document("$in", ids)))) present.put(found.get("_id"), found);
    List<Document> missing = new ArrayList<>();
    for (Document document : documents) {
      Document found = present.get(document.get("_id"));
      if (found == null) missing.add(document);
      else if (!isSame(found, document)) throw anotherEvent(document);
    }
    if (!missing.isEmpty()) collection.insertMany(missing);
    return null;
  }

  private static boolean isSame(Document found, Document document) {
    return Objects.equals(found.get("eventID"), document.get("eventID")) && Objects.equals(found.get("recordTimestamp"), document.get("recordTimestamp"));
  }

  private static OperatorNeeded anotherEvent(Document document) {
    return new OperatorNeeded("There is another event at " + document.get("_id")
        + ": the documents belong to another Kafka cluster. Write into another database, or move the collections of this one away.");
  }

  private static Document documentOf(AuditRecord audited) {
    SinkRecord record = audited.record();
    String position = String.join("#", record.topic(), String.valueOf(audited.generation()), String.valueOf(record.kafkaPartition()), String.valueOf(record.kafkaOffset()));
    return new Document("_id", position)
        .append("recordTopic", record.topic())
        .append("recordGeneration", audited.generation())
        .append("recordPartition", record.kafkaPartition())
        .append("recordOffset", record.kafkaOffset())
        .append("recordKey", record.key())
        .append("recordTimestamp", record.timestamp() == null ? null : new Date(record.timestamp()))
        .append("eventID", EventRow.header(record, "event-id"))
        .append("caller", EventRow.header(record, "caller"))
        .append("traceparent", EventRow.header(record, "traceparent"))
        .append("event", valueOf(record.value()));
  }

  private static Object valueOf(Object value) {
    if (value instanceof Struct struct) {
      Document document = new Document();
      for (Field field : struct.schema().fields()) document.append(field.name(), valueOf(struct.get(field)));
      return document;
    }
    if (value instanceof Map<?, ?> map) {
      Document document = new Document();
      map.forEach((key, item) -> document.append(String.valueOf(key), valueOf(item)));
      return document;
    }
    if (value instanceof Collection<?> items) return items.stream().map(MongoStore::valueOf).toList();
    if (value instanceof ByteBuffer bytes) return bytes.array();
    return value;
  }

  private interface Work<Result> {
    Result get();
  }

  private static <Result> Result patiently(Work<Result> work) {
    try {
      return work.get();
    } catch (BsonSerializationException fault) {
      throw new DataException("MongoDB has no form for an event: " + fault.getMessage(), fault);
    } catch (MongoBulkWriteException refused) {
      boolean isDuplicate = refused.getWriteErrors().stream().allMatch(error -> error.getCode() == DUPLICATE_KEY);
      if (isDuplicate || refused.getWriteConcernError() != null) throw new RetriableException("Another task writes the same", refused);
      throw new DataException("MongoDB refuses an event: " + refused.getMessage(), refused);
    } catch (MongoWriteException refused) {
      throw new DataException("MongoDB refuses a document: " + refused.getMessage(), refused);
    } catch (MongoException failure) {
      throw new RetriableException("MongoDB cannot be written now: " + failure.getMessage(), failure);
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
