package com.orderly.connect;

import io.apicurio.registry.utils.converter.avro.AvroData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.storage.Converter;

/**
 * Decodes events in the Confluent wire format. Connect sends a record to the dead-letter topic for
 * every converter failure other than RetriableException. A failure is therefore a DataException
 * only if the record cannot be an event of the topic, and retriable if the registry is needed but
 * does not respond. Markers that replays leave in a topic become records without a value, which the
 * connectors filter out.
 */
public final class EventConverter implements Converter {
  private static final byte MAGIC = 0;
  private static final int HEADER_BYTES = 5;
  private static final String FINGERPRINT_HEADER = "schema-fingerprint";
  private static final String RELEASE_HEADER = "dlq-release";
  private static final int CACHED_SCHEMAS = 100;

  private final AvroData avroData = new AvroData(CACHED_SCHEMAS);
  private final Map<Schema, GenericDatumReader<Object>> readers = new HashMap<>();
  private EventSchemas schemas;
  private BinaryDecoder decoder;

  @Override
  public void configure(Map<String, ?> settings, boolean isKey) {
    schemas = new EventSchemas(new RegistryClient(settings));
  }

  @Override
  public SchemaAndValue toConnectData(String topic, Headers headers, byte[] value) {
    if (value == null) {
      if (contentOf(headers, RELEASE_HEADER) != null) return SchemaAndValue.NULL;
      throw new DataException("The record has no value and is not a replay marker");
    }
    if (value.length < HEADER_BYTES || value[0] != MAGIC) throw new DataException("The value is not in the Confluent wire format");
    int schemaID = ByteBuffer.wrap(value, 1, Integer.BYTES).getInt();
    Schema schema = schemas.find(topic, contentOf(headers, FINGERPRINT_HEADER), schemaID);
    AvroBounds.check(schema, value, HEADER_BYTES);
    try {
      decoder = DecoderFactory.get().binaryDecoder(value, HEADER_BYTES, value.length - HEADER_BYTES, decoder);
      Object event = readers.computeIfAbsent(schema, GenericDatumReader::new).read(null, decoder);
      return avroData.toConnectData(schema, event);
    } catch (IOException | AvroRuntimeException cause) {
      throw new DataException("The value does not match the schema " + schema.getFullName(), cause);
    }
  }

  @Override
  public SchemaAndValue toConnectData(String topic, byte[] value) {
    return toConnectData(topic, null, value);
  }

  @Override
  public byte[] fromConnectData(String topic, org.apache.kafka.connect.data.Schema schema, Object value) {
    throw new UnsupportedOperationException("This converter only reads");
  }

  private static String contentOf(Headers headers, String name) {
    if (headers == null) return null;
    Iterator<Header> found = headers.headers(name).iterator();
    byte[] content = found.hasNext() ? found.next().value() : null;
    return content == null ? null : new String(content, StandardCharsets.UTF_8);
  }
}
