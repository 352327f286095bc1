package com.orderly.connect;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;

/**
 * Converts a record to a flat row. `orderID` becomes the column `order_id`; a time (`createdAtMs`)
 * becomes the column `created_at` with a time zone; a nested value (`items`) becomes a JSON column.
 * The first columns hold the position, key and headers of the record. A field whose column would
 * have the name of one of those gets the prefix `event_`.
 */
final class EventRow {
  /**
   * Column of a table. Rows written before the column existed get its default, which is the default
   * of the field.
   */
  record Column(String type, Object defaultValue) {}

  static final Map<String, Column> KEY = new LinkedHashMap<>();
  static final Map<String, Column> OWN = new LinkedHashMap<>();

  static {
    KEY.put("record_topic", new Column("text", null));
    KEY.put("record_generation", new Column("integer", null));
    KEY.put("record_partition", new Column("integer", null));
    KEY.put("record_offset", new Column("bigint", null));
    OWN.put("record_key", new Column("text", null));
    OWN.put("record_timestamp", new Column("timestamptz", null));
    OWN.put("event_id", new Column("text", null));
    OWN.put("caller", new Column("text", null));
    OWN.put("traceparent", new Column("text", null));
  }

  private static final Pattern WORD_END = Pattern.compile("([a-z0-9])([A-Z])");
  /** Postgres truncates longer names. */
  private static final int MAX_NAME_BYTES = 63;
  private static final Map<Schema, Map<String, Column>> COLUMNS = new ConcurrentHashMap<>();
  private static final JsonConverter JSON = new JsonConverter();

  static {
    JSON.configure(Map.of("schemas.enable", "false"), false);
  }

  private EventRow() {}

  /**
   * Returns the columns of an event's table.
   * @throws DataException when two fields have the same column name or a column name is too long
   */
  static Map<String, Column> columnsOf(Schema event) {
    return COLUMNS.computeIfAbsent(event, schema -> {
      Map<String, Column> columns = new LinkedHashMap<>();
      for (Field field : schema.fields()) {
        String name = columnOf(field);
        if (name.getBytes(StandardCharsets.UTF_8).length > MAX_NAME_BYTES) throw new DataException("The name of " + field.name() + " is too long for a column");
        if (columns.containsKey(name)) throw new DataException("The field " + field.name() + " has the same column as another field: " + name);
        Object given = field.schema().defaultValue();
        columns.put(name, new Column(typeOf(field.schema()), given == null ? null : cell(field.schema(), given)));
      }
      return columns;
    });
  }

  static Map<String, Object> valuesOf(AuditStore.AuditRecord audited) {
    SinkRecord record = audited.record();
    Struct event = (Struct) record.value();
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("record_topic", record.topic());
    values.put("record_generation", audited.generation());
    values.put("record_partition", record.kafkaPartition());
    values.put("record_offset", record.kafkaOffset());
    values.put("record_key", record.key());
    values.put("record_timestamp", record.timestamp() == null ? null : moment(record.timestamp()));
    values.put("event_id", header(record, "event-id"));
    values.put("caller", header(record, "caller"));
    values.put("traceparent", header(record, "traceparent"));
    for (Field field : event.schema().fields()) {
      Object value = event.getWithoutDefault(field.name());
      values.put(columnOf(field), value == null ? null : cell(field.schema(), value));
    }
    return values;
  }

  private static String typeOf(Schema schema) {
    if (isMoment(schema)) return "timestamptz";
    return switch (schema.type()) {
      case STRING -> "text";
      case BOOLEAN -> "boolean";
      case INT8, INT16, INT32 -> "integer";
      case INT64 -> "bigint";
      case FLOAT32 -> "real";
      case FLOAT64 -> "double precision";
      case BYTES -> "bytea";
      case ARRAY, MAP, STRUCT -> "jsonb";
    };
  }

  private static Object cell(Schema schema, Object value) {
    if (isMoment(schema)) return moment(((Date) value).getTime());
    if (value instanceof ByteBuffer bytes) return bytes.array();
    if (schema.type().isPrimitive()) return value;
    return new String(JSON.fromConnectData("", schema, value), StandardCharsets.UTF_8);
  }

  private static boolean isMoment(Schema schema) {
    return Timestamp.LOGICAL_NAME.equals(schema.name());
  }

  private static Object moment(long ms) {
    return Instant.ofEpochMilli(ms).atOffset(ZoneOffset.UTC);
  }

  static String header(SinkRecord record, String name) {
    Header header = record.headers().lastWithName(name);
    return header == null || header.value() == null ? null : header.value().toString();
  }

  private static String columnOf(Field field) {
    String name = isMoment(field.schema()) ? field.name().replaceFirst("Ms$", "") : field.name();
    String column = WORD_END.matcher(name).replaceAll("$1_$2").toLowerCase(Locale.ROOT);
    return KEY.containsKey(column) || OWN.containsKey(column) ? "event_" + column : column;
  }
}
