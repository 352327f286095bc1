import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.undertow.Undertow;
import io.undertow.UndertowOptions;
import io.undertow.server.HttpServerExchange;
import io.undertow.util.Headers;
import io.undertow.util.HttpString;
import io.undertow.util.SameThreadExecutor;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A server for `POST /orders` with Undertow and the plain client, with the checks, acks=all and
 * answers of our service.
 */
final class OrderPeer {
  private static final ObjectMapper json = new ObjectMapper();
  private static final HttpString location = new HttpString("Location");
  private static final HttpString traceparentHeader = new HttpString("traceparent");
  private static final ThreadLocal<Events> eventsOfThread = ThreadLocal.withInitial(Events::new);

  static Map<String, Object> run(JsonNode task) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", task.get("brokers").asText());
    settings.put("acks", "all");
    settings.put("linger.ms", 0);
    settings.put("batch.size", 512 * 1024);
    settings.put("max.in.flight.requests.per.connection", 5);
    var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    var topic = task.get("topic").asText();
    var schemaID = task.get("orderSchemaID").asInt();
    var server =
        Undertow.builder()
            .addHttpListener(0, "127.0.0.1")
            .setServerOption(UndertowOptions.MAX_ENTITY_SIZE, 128L * 1024)
            .setHandler(exchange -> handle(exchange, producer, topic, schemaID))
            .build();
    server.start();
    var address = (InetSocketAddress) server.getListenerInfo().get(0).getAddress();
    return Map.of("port", address.getPort());
  }

  private static void handle(
      HttpServerExchange exchange, KafkaProducer<byte[], byte[]> producer, String topic, int schemaID) {
    if (!exchange.getRequestPath().equals("/orders") || !exchange.getRequestMethod().toString().equals("POST")) {
      exchange.setStatusCode(404).endExchange();
      return;
    }
    exchange.getRequestReceiver().receiveFullBytes((received, body) -> {
      Events.Order order;
      byte[] value;
      try {
        order = read(body);
        value = eventsOfThread.get().encodeOrder(order, schemaID);
      } catch (IllegalArgumentException | IOException error) {
        received.setStatusCode(400).getResponseSender().send("{\"status\":400}");
        return;
      }
      var parent = received.getRequestHeaders().getFirst(traceparentHeader);
      var traceparent = parent == null ? Events.newTraceparent() : Events.childTraceparent(parent);
      var headers = Events.headers("OrderCreated", order.orderID(), traceparent);
      var key = order.userID().getBytes(StandardCharsets.UTF_8);
      received.dispatch(
          SameThreadExecutor.INSTANCE,
          () ->
              producer.send(
                  new ProducerRecord<>(topic, null, key, value, headers),
                  (metadata, error) -> answer(received, order.orderID(), traceparent, error)));
    });
  }

  private static void answer(HttpServerExchange exchange, String orderID, String traceparent, Exception error) {
    if (error != null) {
      exchange.setStatusCode(503).endExchange();
      return;
    }
    var self = "/orders/" + orderID;
    exchange.setStatusCode(202);
    exchange.getResponseHeaders().put(location, self).put(traceparentHeader, traceparent)
        .put(Headers.CONTENT_TYPE, "application/json; charset=utf-8");
    exchange.getResponseSender().send("{\"orderID\":\"" + orderID + "\",\"status\":\"accepted\",\"links\":{\"self\":\""
        + self + "\",\"events\":\"" + self + "/events\"}}");
  }

  /** Parses an order. @throws IllegalArgumentException if our service would reject it */
  private static Events.Order read(byte[] body) throws IOException {
    JsonNode given;
    try {
      given = json.readTree(body);
    } catch (JsonProcessingException error) {
      throw new IllegalArgumentException(error);
    }
    var userID = text(given.path("userID"), 128);
    var items = new ArrayList<Events.Item>(4);
    for (var item : given.path("items")) {
      var quantity = item.path("quantity");
      if (!quantity.isInt() || quantity.intValue() < 1 || quantity.intValue() > 1_000_000) {
        throw new IllegalArgumentException("quantity");
      }
      items.add(new Events.Item(text(item.path("sku"), 64), quantity.intValue()));
    }
    if (items.isEmpty() || items.size() > 100) throw new IllegalArgumentException("items");
    var total = given.path("total");
    if (!total.isNumber()) throw new IllegalArgumentException("total");
    var minor = total.decimalValue().movePointRight(2).longValueExact();
    return new Events.Order(newOrderID(), userID, items, minor, System.currentTimeMillis());
  }

  private static String text(JsonNode node, int longest) {
    var text = node.asText();
    if (!node.isTextual() || text.isEmpty() || text.length() > longest) throw new IllegalArgumentException("text");
    return text;
  }

  /** Returns a UUID of version 7. */
  private static String newOrderID() {
    var random = ThreadLocalRandom.current();
    var high = System.currentTimeMillis() << 16 | 0x7000L | random.nextLong() & 0xfffL;
    return new UUID(high, random.nextLong() & 0x3fffffffffffffffL | 0x8000000000000000L).toString();
  }
}
