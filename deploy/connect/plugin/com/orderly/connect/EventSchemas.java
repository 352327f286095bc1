package com.orderly.connect;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.SchemaCompatibilityType;
import org.apache.avro.SchemaNormalization;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;

/**
 * Finds the schema that a record was written with, like `contracts/avro/schema-readers.ts` for the
 * services. It looks up the fingerprint from the record's header among the released versions
 * (`events.json`), then in the registry. Without a fingerprint it uses the schema id in the value.
 * A schema of another event is rejected.
 */
final class EventSchemas {
  private static final long RECHECK_MS = 10_000;
  private static final long UNKNOWN_FOR_MS = 30_000;
  private static final int MAX_UNKNOWN = 1_000;
  /**
   * Fingerprints by registry and id, shared by all tasks of this process so that they survive a
   * task restart.
   */
  private static final Map<String, String> FINGERPRINTS = new ConcurrentHashMap<>();

  /**
   * A schema, or the reason why its records are rejected. The registry is queried again after
   * `checkAtMs`.
   */
  private record Entry(Schema schema, String problem, long checkAtMs) {
    Schema get() {
      if (problem != null) throw new DataException(problem);
      return schema;
    }
  }

  /** The released versions of a topic's event, by fingerprint. */
  private record Event(Schema newest, Map<String, Schema> versions) {}

  private final RegistryClient registry;
  private final Map<String, Event> events = released();
  private final Map<String, Entry> known = new HashMap<>();
  private final Map<String, Entry> unknown = new LinkedHashMap<>();

  EventSchemas(RegistryClient registry) {
    this.registry = registry;
  }

  /**
   * Returns the schema of a record.
   * @param fingerprint the content of the header `schema-fingerprint`, or null
   * @throws DataException when the record has no schema, or the schema of another event
   * @throws RetriableException when the registry is needed but does not respond
   * @throws OperatorNeeded when the id refers to a different schema than before
   */
  Schema find(String topic, String fingerprint, int schemaID) {
    Event event = events.get(topic);
    if (event == null) throw new DataException("No event belongs to the topic " + topic);
    Schema schema = fingerprint == null ? null : event.versions.get(fingerprint);
    if (schema != null) return schema;
    String key = topic + " " + (fingerprint == null ? schemaID : fingerprint);
    Entry entry = known.getOrDefault(key, unknown.get(key));
    if (entry != null && System.currentTimeMillis() < entry.checkAtMs) return entry.get();
    return (fingerprint == null ? byID(event, key, schemaID) : byFingerprint(event, topic, key, fingerprint, schemaID)).get();
  }

  private Entry byFingerprint(Event event, String topic, String key, String fingerprint, int schemaID) {
    Optional<Schema> found = registry.schemaByID(schemaID).flatMap(EventSchemas::parseIfAvro).filter(schema -> hash(schema).equals(fingerprint));
    if (found.isEmpty()) {
      found = registry.versions(topic + "-value").stream()
          .flatMap(version -> parseIfAvro(version).stream())
          .filter(schema -> hash(schema).equals(fingerprint))
          .findFirst();
    }
    if (found.isEmpty()) return remember(key, "The registry has no schema with the fingerprint " + fingerprint);
    Entry entry = new Entry(found.get(), problemOf(event, found.get()), Long.MAX_VALUE);
    known.put(key, entry);
    return entry;
  }

  private Entry byID(Event event, String key, int schemaID) {
    long checkAtMs = System.currentTimeMillis() + RECHECK_MS;
    Entry before = known.get(key);
    Optional<JsonNode> answer;
    try {
      answer = registry.schemaByID(schemaID);
    } catch (RetriableException away) {
      if (before == null) throw away;
      answer = Optional.empty();
    }
    if (answer.isEmpty()) {
      if (before == null) return remember(key, "The registry has no schema " + schemaID);
      // While the registry is unavailable or empty, the id keeps its known meaning.
      Entry entry = new Entry(before.schema, before.problem, checkAtMs);
      known.put(key, entry);
      return entry;
    }
    Schema schema = null;
    String problem;
    try {
      schema = parse(answer.get());
      problem = problemOf(event, schema);
    } catch (AvroRuntimeException unreadable) {
      problem = "Schema " + schemaID + " cannot be read as an Avro schema: " + unreadable.getMessage();
    }
    String fingerprint = schema == null ? "none" : hash(schema);
    String former = FINGERPRINTS.putIfAbsent(registry.url() + " " + schemaID, fingerprint);
    if (former != null && !former.equals(fingerprint)) {
      throw new OperatorNeeded("Schema id " + schemaID + " led to the schema " + former + " and now leads to " + fingerprint
          + ": the registry was emptied and filled again. Records without the header schema-fingerprint cannot be read safely."
          + " Restore the registry's former content; or, when no such record waits, restart the worker.");
    }
    Entry entry = new Entry(schema, problem, checkAtMs);
    known.put(key, entry);
    return entry;
  }

  /**
   * Remembers unknown ids and fingerprints; bounded, because broken records can carry any number of
   * them.
   */
  private Entry remember(String key, String problem) {
    if (unknown.size() >= MAX_UNKNOWN) unknown.remove(unknown.keySet().iterator().next());
    Entry entry = new Entry(null, problem, System.currentTimeMillis() + UNKNOWN_FOR_MS);
    unknown.put(key, entry);
    return entry;
  }

  /**
   * Returns why records of a schema are rejected; null if every reader of the topic can read them.
   */
  private static String problemOf(Event event, Schema schema) {
    var result = SchemaCompatibility.checkReaderWriterCompatibility(event.newest, schema);
    if (result.getType() == SchemaCompatibilityType.COMPATIBLE) return null;
    return "The schema " + schema.getFullName() + " cannot be read as the topic's event " + event.newest.getFullName() + ": "
        + result.getResult().getIncompatibilities();
  }

  private static Schema parse(JsonNode answer) {
    String format = answer.path("schemaType").asText("AVRO");
    if (!format.equals("AVRO")) throw new AvroRuntimeException("its format is " + format);
    return new Schema.Parser().parse(answer.path("schema").asText());
  }

  private static Optional<Schema> parseIfAvro(JsonNode answer) {
    try {
      return Optional.of(parse(answer));
    } catch (AvroRuntimeException noSchema) {
      return Optional.empty();
    }
  }

  private static String hash(Schema schema) {
    return String.format("%016x", SchemaNormalization.parsingFingerprint64(schema));
  }

  private static Map<String, Event> released() {
    try (InputStream file = EventSchemas.class.getResourceAsStream("/events.json")) {
      Map<String, Event> events = new HashMap<>();
      new ObjectMapper().readTree(file).fields().forEachRemaining(topic -> {
        Map<String, Schema> versions = new LinkedHashMap<>();
        Schema newest = null;
        for (JsonNode version : topic.getValue()) {
          newest = new Schema.Parser().parse(version.toString());
          versions.put(hash(newest), newest);
        }
        events.put(topic.getKey(), new Event(newest, versions));
      });
      return events;
    } catch (IOException cause) {
      throw new IllegalStateException("events.json cannot be read", cause);
    }
  }
}
