package com.orderly.connect;

import io.apicurio.registry.utils.converter.AvroConverter;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;

/**
 * Apicurio's Avro converter, for the Confluent wire format, that knows poison from a registry that is away. Connect puts whatever a
 * converter fails with into the dead-letter topic, unless it is a RetriableException; a restart of the registry would send sound
 * events there. So a failure is the record's only when the registry can answer for the record's schema. The markers that replays
 * leave in a topic become records without a value, which the connectors filter out.
 */
public final class EventConverter extends AvroConverter<Object> {
  private static final byte MAGIC = 0;
  private static final int HEADER_BYTES = 5;
  private static final String RELEASE_HEADER = "dlq-release";
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(PATIENCE).build();
  private String schemas;

  @Override
  public void configure(Map<String, ?> configs, boolean isKey) {
    super.configure(configs, isKey);
    schemas = configs.get("apicurio.registry.url") + "/ids/contentIds/";
  }

  @Override
  public SchemaAndValue toConnectData(String topic, Headers headers, byte[] value) {
    if (value == null) {
      if (isRelease(headers)) return SchemaAndValue.NULL;
      throw new DataException("There is no event in a record without a value");
    }
    if (value.length < HEADER_BYTES || value[0] != MAGIC) throw new DataException("This is not in the Confluent wire format");
    try {
      return super.toConnectData(topic, headers, value);
    } catch (RuntimeException failure) {
      int schemaID = ByteBuffer.wrap(value, 1, Integer.BYTES).getInt();
      if (!isKnown(schemaID)) throw new DataException("The registry has no schema " + schemaID, failure);
      try {
        // Perhaps it was away a moment ago.
        return super.toConnectData(topic, headers, value);
      } catch (RuntimeException again) {
        if (!isKnown(schemaID)) throw new DataException("The registry has no schema " + schemaID, again);
        throw new DataException("These bytes are not what schema " + schemaID + " says", again);
      }
    }
  }

  @Override
  public SchemaAndValue toConnectData(String topic, byte[] value) {
    return toConnectData(topic, null, value);
  }

  /** What a replay of dead letters ends with in the topic that they came from: nobody's mistake, and no event either. */
  private static boolean isRelease(Headers headers) {
    return headers != null && headers.lastHeader(RELEASE_HEADER) != null;
  }

  /** @throws RetriableException when the registry gives no answer that one can rely on */
  private boolean isKnown(int schemaID) {
    try {
      HttpRequest request = HttpRequest.newBuilder(URI.create(schemas + schemaID)).timeout(PATIENCE).build();
      int status = http.send(request, BodyHandlers.discarding()).statusCode();
      if (status == 200) return true;
      if (status == 404) return false;
      throw new RetriableException("The registry answered " + status + " for schema " + schemaID);
    } catch (IOException cause) {
      throw new RetriableException("The registry cannot be asked for schema " + schemaID, cause);
    } catch (InterruptedException cause) {
      Thread.currentThread().interrupt();
      throw new RetriableException("Interrupted while asking for schema " + schemaID, cause);
    }
  }
}
