import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

/**
 * Reader and writer of events, as code generated from the schemas would be: field by field, with a
 * reused decoder and buffers. Each thread needs a separate instance.
 */
final class Events {
  record Item(String sku, int quantity) {}

  record Order(String orderID, String userID, List<Item> items, long totalMinor, long createdAtMs) {}

  record Shortage(String sku, long requested, long available) {}

  static final byte[] contentType = "application/vnd.confluent.avro".getBytes(StandardCharsets.UTF_8);
  /** Schema fingerprints of version 1 of each event. */
  private static final Map<String, byte[]> fingerprints =
      Map.of(
          "OrderCreated", "428d13efdbeddef2".getBytes(StandardCharsets.UTF_8),
          "InventoryReserved", "8666b121d0c4bfb6".getBytes(StandardCharsets.UTF_8),
          "InventoryFailed", "f01a7adbdb1a8d6e".getBytes(StandardCharsets.UTF_8));
  private static final int headerBytes = 5;

  private BinaryDecoder decoder;
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
  private final BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);

  Order decode(byte[] value) throws IOException {
    if (value.length < headerBytes || value[0] != 0) throw new IOException("not in wire format");
    decoder = DecoderFactory.get().binaryDecoder(value, headerBytes, value.length - headerBytes, decoder);
    var orderID = decoder.readString();
    var userID = decoder.readString();
    var items = new ArrayList<Item>(4);
    for (var count = decoder.readArrayStart(); count != 0; count = decoder.arrayNext()) {
      for (var index = 0; index < count; index++) items.add(new Item(decoder.readString(), decoder.readInt()));
    }
    return new Order(orderID, userID, items, decoder.readLong(), decoder.readLong());
  }

  byte[] encodeOrder(Order order, int schemaID) throws IOException {
    begin(schemaID);
    encoder.writeString(order.orderID);
    encoder.writeString(order.userID);
    writeItems(order.items);
    encoder.writeLong(order.totalMinor);
    encoder.writeLong(order.createdAtMs);
    return end();
  }

  byte[] encodeReserved(Order order, long decidedAtMs, int schemaID) throws IOException {
    begin(schemaID);
    encoder.writeString(order.orderID);
    encoder.writeString(order.userID);
    writeItems(order.items);
    encoder.writeLong(decidedAtMs);
    return end();
  }

  byte[] encodeFailed(Order order, List<Shortage> shortages, long decidedAtMs, int schemaID) throws IOException {
    begin(schemaID);
    encoder.writeString(order.orderID);
    encoder.writeString(order.userID);
    encoder.writeString("OUT_OF_STOCK");
    encoder.writeArrayStart();
    encoder.setItemCount(shortages.size());
    for (var shortage : shortages) {
      encoder.startItem();
      encoder.writeString(shortage.sku);
      encoder.writeLong(shortage.requested);
      encoder.writeLong(shortage.available);
    }
    encoder.writeArrayEnd();
    encoder.writeLong(decidedAtMs);
    return end();
  }

  private void writeItems(List<Item> items) throws IOException {
    encoder.writeArrayStart();
    encoder.setItemCount(items.size());
    for (var item : items) {
      encoder.startItem();
      encoder.writeString(item.sku);
      encoder.writeInt(item.quantity);
    }
    encoder.writeArrayEnd();
  }

  private void begin(int schemaID) {
    bytes.reset();
    bytes.write(0);
    for (var shift = 24; shift >= 0; shift -= 8) bytes.write(schemaID >>> shift);
  }

  private byte[] end() throws IOException {
    encoder.flush();
    return bytes.toByteArray();
  }

  /** Returns the headers of an event that continues the trace of its input record. */
  static Headers headers(String eventType, String orderID, Headers parent) {
    var traceparent = parent.lastHeader("traceparent");
    return headers(eventType, orderID, childTraceparent(new String(traceparent.value(), StandardCharsets.UTF_8)));
  }

  static Headers headers(String eventType, String orderID, String traceparent) {
    return new RecordHeaders()
        .add("schema-fingerprint", fingerprints.get(eventType))
        .add("event-id", (eventType + "-" + orderID).getBytes(StandardCharsets.UTF_8))
        .add("content-type", contentType)
        .add("traceparent", traceparent.getBytes(StandardCharsets.UTF_8));
  }

  static String childTraceparent(String parent) {
    var span = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
    return parent.substring(0, 36) + span + parent.substring(52);
  }

  static String newTraceparent() {
    var random = ThreadLocalRandom.current();
    var hex = HexFormat.of();
    return "00-" + hex.toHexDigits(random.nextLong()) + hex.toHexDigits(random.nextLong())
        + "-" + hex.toHexDigits(random.nextLong()) + "-01";
  }
}
