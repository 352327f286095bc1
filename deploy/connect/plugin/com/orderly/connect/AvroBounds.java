package com.orderly.connect;

import org.apache.avro.Schema;
import org.apache.kafka.connect.errors.DataException;

/**
 * Walks the bytes of a value by its schema before Avro decodes them. Avro allocates as many items
 * as a count announces: a dozen bytes that announce 2^31 items would exhaust the worker's memory.
 * `contracts/avro/bounds.ts` does the same for the services.
 */
final class AvroBounds {
  private static final int MAX_VARINT_BYTES = 10;
  private static final int MAX_DEPTH = 200;

  private final byte[] bytes;
  private int position;

  private AvroBounds(byte[] bytes, int position) {
    this.bytes = bytes;
    this.position = position;
  }

  /**
   * Checks that the bytes from the position to the end are exactly one datum of the schema.
   * @throws DataException if they are not
   */
  static void check(Schema schema, byte[] bytes, int position) {
    AvroBounds bounds = new AvroBounds(bytes, position);
    bounds.walk(schema, 0);
    if (bounds.position != bytes.length) throw new DataException((bytes.length - bounds.position) + " bytes follow the end of the event");
  }

  private void walk(Schema schema, int depth) {
    if (depth > MAX_DEPTH) throw new DataException("The event is nested more than " + MAX_DEPTH + " levels deep");
    switch (schema.getType()) {
      case NULL -> {}
      case BOOLEAN -> advance(1);
      case INT, LONG -> varint();
      case FLOAT -> advance(4);
      case DOUBLE -> advance(8);
      case BYTES, STRING -> advance(varint());
      case FIXED -> advance(schema.getFixedSize());
      case ENUM -> index(schema.getEnumSymbols().size());
      case UNION -> walk(schema.getTypes().get(index(schema.getTypes().size())), depth + 1);
      case ARRAY -> blocks(() -> walk(schema.getElementType(), depth + 1));
      case MAP -> blocks(() -> {
        advance(varint());
        walk(schema.getValueType(), depth + 1);
      });
      case RECORD -> schema.getFields().forEach(field -> walk(field.schema(), depth + 1));
      default -> throw new DataException("Avro type " + schema.getType() + " is not supported");
    }
  }

  /** Walks blocks until an empty one; a negative count is followed by the size of the block in bytes. */
  private void blocks(Runnable item) {
    for (long count = varint(); count != 0; count = varint()) {
      if (count < 0) varint();
      // Every item takes at least one byte.
      if (count == Long.MIN_VALUE || Math.abs(count) > bytes.length - position) throw truncated();
      for (long left = Math.abs(count); left > 0; left--) item.run();
    }
  }

  private int index(int size) {
    long index = varint();
    if (index < 0 || index >= size) throw new DataException("Index " + index + " of an enum or union with " + size + " branches");
    return (int) index;
  }

  private void advance(long count) {
    if (count < 0 || count > bytes.length - position) throw truncated();
    position += (int) count;
  }

  private long varint() {
    long zigzag = 0;
    for (int index = 0; index < MAX_VARINT_BYTES; index++) {
      if (position >= bytes.length) throw truncated();
      byte part = bytes[position++];
      zigzag |= (part & 0x7fL) << (7 * index);
      if (part >= 0) return (zigzag >>> 1) ^ -(zigzag & 1);
    }
    throw new DataException("A number is longer than 64 bits");
  }

  private static DataException truncated() {
    return new DataException("The event ends early");
  }
}
