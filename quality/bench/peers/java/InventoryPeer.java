import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * The whole reservation with the plain client and JDBC. It uses the statements of our store
 * (the task contains their text), with one Postgres transaction per poll, which commits before the
 * Kafka transaction.
 */
final class InventoryPeer {
  private record Decided(Events.Order order, List<Events.Shortage> shortages) {}

  private final ObjectMapper json = new ObjectMapper();
  private final Events events = new Events();

  Map<String, Object> run(JsonNode task) throws Exception {
    var stopwatch = new Peer.Stopwatch();
    var wanted = task.get("records").asInt();
    try (var database = connect(task);
        var store = new Store(database, task.get("sql"));
        var consumer = StagePeer.consumer(task);
        var producer = StagePeer.producer(task)) {
      consumer.subscribe(List.of(task.get("input").asText()));
      producer.initTransactions();
      for (var done = 0; done < wanted; ) {
        var records = consumer.poll(Duration.ofSeconds(1));
        if (records.isEmpty()) continue;
        stopwatch.startOnce();
        var orders = new ArrayList<Events.Order>(records.count());
        for (var record : records) orders.add(events.decode(record.value()));
        var decidedAtMs = System.currentTimeMillis();
        var decided = store.decide(orders, decidedAtMs);
        producer.beginTransaction();
        var index = 0;
        for (var record : records) {
          var outcome = decided.get(index++);
          var order = outcome.order;
          var isReserved = outcome.shortages == null;
          var topic = task.get(isReserved ? "output" : "failedOutput").asText();
          var value = isReserved
              ? events.encodeReserved(order, decidedAtMs, task.get("reservedSchemaID").asInt())
              : events.encodeFailed(order, outcome.shortages, decidedAtMs, task.get("failedSchemaID").asInt());
          var type = isReserved ? "InventoryReserved" : "InventoryFailed";
          producer.send(new ProducerRecord<>(topic, null, record.key(), value,
              Events.headers(type, order.orderID(), record.headers())));
        }
        producer.sendOffsetsToTransaction(StagePeer.nextOffsets(records), consumer.groupMetadata());
        producer.commitTransaction();
        done += records.count();
      }
      return stopwatch.stop();
    }
  }

  private static Connection connect(JsonNode task) throws SQLException {
    var settings = new Properties();
    settings.put("user", task.get("database").get("user").asText());
    settings.put("password", task.get("database").get("password").asText());
    settings.put("options", "-c enable_seqscan=off");
    settings.put("prepareThreshold", "1");
    var connection = DriverManager.getConnection("jdbc:postgresql://" + task.get("database").get("address").asText(), settings);
    connection.setAutoCommit(false);
    connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
    return connection;
  }

  private final class Store implements AutoCloseable {
    private final Connection database;
    private final Map<String, PreparedStatement> statements = new HashMap<>();

    Store(Connection database, JsonNode sql) throws SQLException {
      this.database = database;
      for (var entry : sql.properties()) {
        // JDBC uses question marks where our statements have numbers; a repeated number is bound
        // again.
        statements.put(entry.getKey(), database.prepareStatement(entry.getValue().asText().replaceAll("\\$\\d+", "?")));
      }
    }

    List<Decided> decide(List<Events.Order> orders, long decidedAtMs) throws Exception {
      var available = lock(orders);
      find(orders);
      var taken = new LinkedHashMap<String, Long>();
      var decided = new ArrayList<Decided>(orders.size());
      for (var order : orders) decided.add(decide(order, available, taken));
      insertOutcomes(decided, decidedAtMs);
      if (!taken.isEmpty()) {
        take(taken);
        insertLines(decided);
      }
      database.commit();
      return decided;
    }

    private Decided decide(Events.Order order, Map<String, Long> available, Map<String, Long> taken) {
      var demand = new LinkedHashMap<String, Long>(4);
      for (var item : order.items()) demand.merge(item.sku(), (long) item.quantity(), Long::sum);
      List<Events.Shortage> shortages = null;
      for (var line : demand.entrySet()) {
        var left = available.getOrDefault(line.getKey(), 0L) - taken.getOrDefault(line.getKey(), 0L);
        if (line.getValue() <= left) continue;
        if (shortages == null) shortages = new ArrayList<>();
        shortages.add(new Events.Shortage(line.getKey(), line.getValue(), left));
      }
      if (shortages == null) for (var line : demand.entrySet()) taken.merge(line.getKey(), line.getValue(), Long::sum);
      return new Decided(order, shortages);
    }

    private Map<String, Long> lock(List<Events.Order> orders) throws SQLException {
      var skus = new HashSet<String>();
      for (var order : orders) for (var item : order.items()) skus.add(item.sku());
      var statement = statements.get("lockStock");
      statement.setArray(1, database.createArrayOf("text", skus.toArray()));
      var available = new HashMap<String, Long>();
      try (var rows = statement.executeQuery()) {
        while (rows.next()) available.put(rows.getString("sku"), rows.getLong("available"));
      }
      return available;
    }

    /**
     * Checks for existing outcomes. No order has one in a benchmark; a complete implementation
     * would publish it again.
     */
    private void find(List<Events.Order> orders) throws SQLException {
      var statement = statements.get("findOutcomes");
      statement.setArray(1, database.createArrayOf("text", orders.stream().map(Events.Order::orderID).toArray()));
      try (var rows = statement.executeQuery()) {
        if (rows.next()) throw new IllegalStateException("an order has an outcome already");
      }
    }

    private Long[] drawSequences(int count) throws SQLException {
      var statement = statements.get("drawSequences");
      statement.setInt(1, count);
      try (var rows = statement.executeQuery()) {
        rows.next();
        return Arrays.stream(rows.getString("drawn").split(",")).map(Long::valueOf).toArray(Long[]::new);
      }
    }

    private void insertOutcomes(List<Decided> decided, long decidedAtMs) throws Exception {
      var size = decided.size();
      // The last is the caller, which no order has here.
      var columns = new String[7][size];
      for (var index = 0; index < size; index++) {
        var outcome = decided.get(index);
        var isReserved = outcome.shortages == null;
        columns[0][index] = outcome.order.orderID();
        columns[1][index] = outcome.order.userID();
        columns[2][index] = isReserved ? "reserved" : "failed";
        columns[3][index] = isReserved ? json.writeValueAsString(outcome.order.items()) : null;
        columns[4][index] = isReserved ? null : "OUT_OF_STOCK";
        columns[5][index] = isReserved ? null : json.writeValueAsString(outcome.shortages);
      }
      var statement = statements.get("insertOutcomes");
      // The last parameter comes first in the statement.
      statement.setTimestamp(1, new Timestamp(decidedAtMs));
      statement.setArray(9, database.createArrayOf("bigint", drawSequences(size)));
      for (var column = 0; column < columns.length; column++) {
        var type = column == 3 || column == 5 ? "jsonb" : "text";
        statement.setArray(column + 2, database.createArrayOf(type, columns[column]));
      }
      statement.executeUpdate();
    }

    private void take(Map<String, Long> taken) throws SQLException {
      var statement = statements.get("takeStock");
      statement.setArray(1, database.createArrayOf("text", taken.keySet().toArray()));
      statement.setArray(2, database.createArrayOf("bigint", taken.values().toArray()));
      statement.executeUpdate();
    }

    private void insertLines(List<Decided> decided) throws SQLException {
      var orderIDs = new ArrayList<String>();
      var skus = new ArrayList<String>();
      var quantities = new ArrayList<Long>();
      for (var outcome : decided) {
        if (outcome.shortages != null) continue;
        for (var item : outcome.order.items()) {
          orderIDs.add(outcome.order.orderID());
          skus.add(item.sku());
          quantities.add((long) item.quantity());
        }
      }
      var statement = statements.get("insertReservationLines");
      statement.setArray(1, database.createArrayOf("text", orderIDs.toArray()));
      statement.setArray(2, database.createArrayOf("text", skus.toArray()));
      statement.setArray(3, database.createArrayOf("bigint", quantities.toArray()));
      statement.executeUpdate();
    }

    @Override
    public void close() throws SQLException {
      for (var statement : statements.values()) statement.close();
    }
  }
}
