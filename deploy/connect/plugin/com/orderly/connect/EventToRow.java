package com.orderly.connect;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Date;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Makes a flat row of an event, as a table for people wants it: `orderID` becomes the column `order_id`, a moment (`createdAtMs`) the
 * column `created_at` with a time zone, whatever has parts (`items`) a column of JSON. The first columns are what the record has beside
 * its event: `record_key`, `record_timestamp`, `event_id`, `caller`, `traceparent`. A sink would drop the headers and refuse the parts.
 */
public final class EventToRow implements Transformation<SinkRecord> {
  private static final String JSON = "io.debezium.data.Json";
  private static final String ZONED_TIMESTAMP = "io.debezium.time.ZonedTimestamp";
  private static final Pattern WORD_END = Pattern.compile("([a-z0-9])([A-Z])");

  private final Map<Schema, Schema> rowSchemas = new ConcurrentHashMap<>();
  private final JsonConverter json = new JsonConverter();

  @Override
  public void configure(Map<String, ?> configs) {
    json.configure(Map.of("schemas.enable", "false"), false);
  }

  @Override
  public SinkRecord apply(SinkRecord record) {
    Struct event = (Struct) record.value();
    Schema schema = rowSchemas.computeIfAbsent(event.schema(), EventToRow::rowSchemaOf);
    Struct row = new Struct(schema)
        .put("record_topic", record.topic())
        .put("record_partition", record.kafkaPartition())
        .put("record_offset", record.kafkaOffset())
        .put("record_key", record.key())
        .put("record_timestamp", record.timestamp() == null ? null : moment(record.timestamp()))
        .put("event_id", header(record, "event-id"))
        .put("caller", header(record, "caller"))
        .put("traceparent", header(record, "traceparent"));
    for (Field field : event.schema().fields()) row.put(columnOf(field), cell(record.topic(), field, event.get(field)));
    return record.newRecord(
        record.topic(), record.kafkaPartition(), record.keySchema(), record.key(), schema, row, record.timestamp(), record.headers());
  }

  private static Schema rowSchemaOf(Schema event) {
    SchemaBuilder row = SchemaBuilder.struct()
        .name(event.name())
        .field("record_topic", Schema.STRING_SCHEMA)
        .field("record_partition", Schema.INT32_SCHEMA)
        .field("record_offset", Schema.INT64_SCHEMA)
        .field("record_key", Schema.OPTIONAL_STRING_SCHEMA)
        .field("record_timestamp", column(ZONED_TIMESTAMP, true))
        .field("event_id", Schema.OPTIONAL_STRING_SCHEMA)
        .field("caller", Schema.OPTIONAL_STRING_SCHEMA)
        .field("traceparent", Schema.OPTIONAL_STRING_SCHEMA);
    for (Field field : event.fields()) row.field(columnOf(field), cellSchema(field.schema()));
    return row.build();
  }

  private static Schema cellSchema(Schema schema) {
    if (isMoment(schema)) return column(ZONED_TIMESTAMP, schema.isOptional());
    if (!schema.type().isPrimitive()) return column(JSON, schema.isOptional());
    return schema;
  }

  private static Schema column(String type, boolean isOptional) {
    SchemaBuilder builder = SchemaBuilder.string().name(type).version(1);
    if (type.equals(JSON)) builder.parameter("__debezium.source.column.type", "JSONB");
    return isOptional ? builder.optional().build() : builder.build();
  }

  private Object cell(String topic, Field field, Object value) {
    if (value == null) return null;
    if (isMoment(field.schema())) return moment(((Date) value).getTime());
    if (field.schema().type().isPrimitive()) return value;
    return new String(json.fromConnectData(topic, field.schema(), value), StandardCharsets.UTF_8);
  }

  private static boolean isMoment(Schema schema) {
    return Timestamp.LOGICAL_NAME.equals(schema.name());
  }

  private static String moment(long ms) {
    return Instant.ofEpochMilli(ms).toString();
  }

  private static String header(SinkRecord record, String name) {
    Header header = record.headers().lastWithName(name);
    return header == null || header.value() == null ? null : header.value().toString();
  }

  private static String columnOf(Field field) {
    String name = isMoment(field.schema()) ? field.name().replaceFirst("Ms$", "") : field.name();
    return WORD_END.matcher(name).replaceAll("$1_$2").toLowerCase(Locale.ROOT);
  }

  @Override
  public ConfigDef config() {
    return new ConfigDef();
  }

  @Override
  public void close() {
    json.close();
  }
}
