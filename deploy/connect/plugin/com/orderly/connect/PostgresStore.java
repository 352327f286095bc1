package com.orderly.connect;

import static java.util.stream.Collectors.joining;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;

/**
 * Stores events in Postgres, one table per topic. The store creates tables and adds columns as
 * events arrive. Event columns are nullable, because earlier rows lack fields that a later version
 * requires. The role owns the tables and needs CREATE on their schema.
 */
final class PostgresStore implements AuditStore {
  private static final int CONNECT_SECONDS = 5;
  private static final int ANSWER_SECONDS = 60;
  private static final String UNIQUE_VIOLATION = "23505";
  private static final String SERIALIZATION_FAILURE = "40001";
  private static final String GENERATIONS = "topic_generations";

  private final String url;
  private final Properties properties = new Properties();
  private final String schema;
  private final Map<String, Set<String>> columnsByTable = new HashMap<>();
  private Connection connection;

  PostgresStore(Map<String, String> settings) {
    url = settings.get("connection.url");
    schema = settings.getOrDefault("schema", "audit");
    properties.setProperty("user", settings.getOrDefault("connection.username", ""));
    properties.setProperty("password", settings.getOrDefault("connection.password", ""));
    properties.setProperty("ApplicationName", "orderly-" + settings.get("name"));
    properties.setProperty("connectTimeout", String.valueOf(CONNECT_SECONDS));
    properties.setProperty("socketTimeout", String.valueOf(ANSWER_SECONDS));
    properties.setProperty("tcpKeepAlive", "true");
  }

  @Override
  public Map<String, Integer> generations(String topic) {
    return inTransaction(database -> {
      makeGenerations(database);
      Map<String, Integer> generations = new HashMap<>();
      try (PreparedStatement query = database.prepareStatement("SELECT topic_id, generation FROM " + named(GENERATIONS) + " WHERE topic = ?")) {
        query.setString(1, topic);
        ResultSet rows = query.executeQuery();
        while (rows.next()) generations.put(rows.getString(1), rows.getInt(2));
      }
      return generations;
    });
  }

  @Override
  public void addGeneration(String topic, int generation, String topicID) {
    inTransaction(database -> {
      String text = "INSERT INTO " + named(GENERATIONS) + " (topic, generation, topic_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
      try (PreparedStatement insert = database.prepareStatement(text)) {
        insert.setString(1, topic);
        insert.setInt(2, generation);
        insert.setString(3, topicID);
        return insert.executeUpdate();
      }
    });
  }

  @Override
  public OptionalLong lastOffset(String topic, int generation, int partition) {
    return inTransaction(database -> {
      makeTable(database, tableOf(topic));
      String text = "SELECT record_offset FROM " + named(tableOf(topic))
          + " WHERE record_topic = ? AND record_generation = ? AND record_partition = ? ORDER BY record_offset DESC LIMIT 1";
      try (PreparedStatement query = database.prepareStatement(text)) {
        query.setString(1, topic);
        query.setInt(2, generation);
        query.setInt(3, partition);
        ResultSet rows = query.executeQuery();
        return rows.next() ? OptionalLong.of(rows.getLong(1)) : OptionalLong.empty();
      }
    });
  }

  @Override
  public void write(Collection<AuditRecord> records) {
    inTransaction(database -> {
      Map<Destination, List<Map<String, Object>>> rows = new LinkedHashMap<>();
      for (AuditRecord audited : records) {
        Schema event = ((Struct) audited.record().value()).schema();
        Destination destination = new Destination(tableOf(audited.record().topic()), event);
        rows.computeIfAbsent(destination, key -> new ArrayList<>()).add(EventRow.valuesOf(audited));
      }
      for (var entry : rows.entrySet()) {
        Map<String, EventRow.Column> columns = EventRow.columnsOf(entry.getKey().event);
        ensureColumns(database, entry.getKey().table, columns);
        insert(database, insertInto(entry.getKey().table, columns), entry.getValue());
      }
      return null;
    });
  }

  private void insert(Connection database, String text, List<Map<String, Object>> rows) throws SQLException {
    int[] counts;
    try (PreparedStatement insert = database.prepareStatement(text)) {
      for (Map<String, Object> row : rows) {
        int position = 0;
        for (Object value : row.values()) insert.setObject(++position, value);
        insert.addBatch();
      }
      counts = insert.executeBatch();
    }
    for (int index = 0; index < counts.length; index++) if (counts[index] == 0) checkSame(database, rows.get(index));
  }

  /**
   * Checks that an existing row is the same record, delivered again. A different row at its
   * position belongs to another Kafka cluster.
   */
  private void checkSame(Connection database, Map<String, Object> row) throws SQLException {
    String topic = (String) row.get("record_topic");
    String text = "SELECT event_id, record_timestamp FROM " + named(tableOf(topic)) + " WHERE " + String.join(" = ? AND ", EventRow.KEY.keySet()) + " = ?";
    try (PreparedStatement query = database.prepareStatement(text)) {
      int position = 0;
      for (String name : EventRow.KEY.keySet()) query.setObject(++position, row.get(name));
      ResultSet found = query.executeQuery();
      boolean isSame = !found.next()
          || Objects.equals(found.getString(1), row.get("event_id"))
              && Objects.equals(found.getObject(2, java.time.OffsetDateTime.class), row.get("record_timestamp"));
      if (isSame) return;
    }
    throw new OperatorNeeded("The table " + tableOf(topic) + " has another event at partition " + row.get("record_partition") + ", offset "
        + row.get("record_offset") + " of generation " + row.get("record_generation")
        + ": the rows belong to another Kafka cluster. Write into another schema, or move the tables of this one away.");
  }

  private void ensureColumns(Connection database, String table, Map<String, EventRow.Column> columns) throws SQLException {
    Set<String> present = columnsByTable.get(table);
    if (present == null) {
      makeTable(database, table);
      present = readColumns(database, table);
    }
    for (var column : columns.entrySet()) {
      if (present.contains(column.getKey())) continue;
      Object given = column.getValue().defaultValue();
      String text = "ALTER TABLE " + named(table) + " ADD COLUMN IF NOT EXISTS " + quoted(column.getKey()) + " " + column.getValue().type();
      change(database, given == null ? text : text + " DEFAULT " + literal(given));
      present.add(column.getKey());
    }
    columnsByTable.put(table, present);
  }

  private void makeTable(Connection database, String table) throws SQLException {
    List<String> parts = new ArrayList<>();
    EventRow.KEY.forEach((name, column) -> parts.add(quoted(name) + " " + column.type() + " NOT NULL"));
    EventRow.OWN.forEach((name, column) -> parts.add(quoted(name) + " " + column.type()));
    parts.add("PRIMARY KEY (" + String.join(", ", EventRow.KEY.keySet()) + ")");
    change(database, "CREATE TABLE IF NOT EXISTS " + named(table) + " (" + String.join(", ", parts) + ")");
  }

  private Set<String> readColumns(Connection database, String table) throws SQLException {
    Set<String> columns = new LinkedHashSet<>();
    String text = "SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ?";
    try (PreparedStatement query = database.prepareStatement(text)) {
      query.setString(1, schema);
      query.setString(2, table);
      ResultSet rows = query.executeQuery();
      while (rows.next()) columns.add(rows.getString(1));
    }
    return columns;
  }

  private String insertInto(String table, Map<String, EventRow.Column> columns) {
    Map<String, EventRow.Column> all = new LinkedHashMap<>(EventRow.KEY);
    all.putAll(EventRow.OWN);
    all.putAll(columns);
    String names = all.keySet().stream().map(PostgresStore::quoted).collect(joining(", "));
    String values = all.values().stream().map(column -> "CAST(? AS " + column.type() + ")").collect(joining(", "));
    return "INSERT INTO " + named(table) + " (" + names + ") VALUES (" + values + ") ON CONFLICT DO NOTHING";
  }

  private void makeGenerations(Connection database) throws SQLException {
    change(
        database,
        "CREATE TABLE IF NOT EXISTS " + named(GENERATIONS)
            + " (topic text, generation integer, topic_id text NOT NULL, started_at timestamptz NOT NULL DEFAULT now(),"
            + " PRIMARY KEY (topic, generation), UNIQUE (topic, topic_id))");
  }

  /** Rows of one table with the same columns are inserted by one statement. */
  private record Destination(String table, Schema event) {}

  private interface Work<Result> {
    Result on(Connection database) throws SQLException;
  }

  private <Result> Result inTransaction(Work<Result> work) {
    try {
      if (connection == null) connection = connect();
      Result result = work.on(connection);
      connection.commit();
      return result;
    } catch (SQLException failure) {
      // Columns added by this transaction are rolled back, and the tables may have been changed
      // from outside.
      columnsByTable.clear();
      if (!isOfTheRecords(failure)) {
        close();
        throw new RetriableException("Postgres cannot be written now: " + failure.getMessage(), failure);
      }
      rollBack();
      throw new DataException("Postgres refuses a row (" + failure.getSQLState() + "): " + failure.getMessage(), failure);
    } catch (DataException | OperatorNeeded fault) {
      columnsByTable.clear();
      rollBack();
      throw fault;
    }
  }

  /**
   * Returns true if the data is the cause: values, constraints, types or limits. Any other failure
   * is transient or must be fixed by an operator.
   */
  private static boolean isOfTheRecords(SQLException failure) {
    String state = String.valueOf(failure.getSQLState());
    return state.matches("22.{3}|23.{3}|54.{3}|42804|42846");
  }

  private Connection connect() throws SQLException {
    Connection opened = new org.postgresql.Driver().connect(url, properties);
    if (opened == null) throw new SQLException("connection.url must begin with jdbc:postgresql:");
    try {
      opened.setAutoCommit(false);
      // Connect commits offsets after rows are written, so a crash of Postgres must not lose the
      // rows. A stricter setting is kept.
      execute(
          opened,
          "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')");
      execute(opened, "SET lock_timeout = '10s'");
      opened.commit();
      return opened;
    } catch (SQLException failure) {
      opened.close();
      throw failure;
    }
  }

  private void rollBack() {
    try {
      connection.rollback();
    } catch (SQLException broken) {
      close();
    }
  }

  @Override
  public void close() {
    try {
      if (connection != null) connection.close();
    } catch (SQLException broken) {
      // The connection is unusable either way.
    }
    connection = null;
  }

  /**
   * Executes DDL. Two tasks that create the same table concurrently conflict in the catalog; that
   * is reported as a transient error.
   */
  private static void change(Connection database, String text) throws SQLException {
    try {
      execute(database, text);
    } catch (SQLException failure) {
      if (!UNIQUE_VIOLATION.equals(failure.getSQLState())) throw failure;
      throw new SQLException(failure.getMessage(), SERIALIZATION_FAILURE, failure);
    }
  }

  private static void execute(Connection database, String text) throws SQLException {
    try (Statement statement = database.createStatement()) {
      statement.execute(text);
    }
  }

  private static String tableOf(String topic) {
    return topic.replaceAll("[^A-Za-z0-9_]", "_");
  }

  private String named(String table) {
    return quoted(schema) + "." + quoted(table);
  }

  private static String quoted(String name) {
    return '"' + name.replace("\"", "\"\"") + '"';
  }

  private static String literal(Object value) {
    return value instanceof Number || value instanceof Boolean ? value.toString() : "'" + value.toString().replace("'", "''") + "'";
  }
}
