package com.orderly.connect;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigDef.Importance;
import org.apache.kafka.common.config.ConfigDef.Type;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkConnector;

/** A connector whose tasks write events into a store. */
public abstract class AuditSink extends SinkConnector {
  private Map<String, String> settings;

  /** Writes into tables of Postgres. */
  public static final class Postgres extends AuditSink {
    @Override
    public Class<? extends Task> taskClass() {
      return PostgresTask.class;
    }

    @Override
    public ConfigDef config() {
      return common()
          .define("connection.url", Type.STRING, Importance.HIGH, "jdbc:postgresql://host:port/database")
          .define("connection.username", Type.STRING, Importance.HIGH, "Role that owns the tables")
          .define("connection.password", Type.PASSWORD, Importance.HIGH, "Password of the role")
          .define("schema", Type.STRING, "audit", Importance.LOW, "Schema of the tables, which must exist");
    }
  }

  /** Writes into collections of MongoDB. */
  public static final class Mongo extends AuditSink {
    @Override
    public Class<? extends Task> taskClass() {
      return MongoTask.class;
    }

    @Override
    public ConfigDef config() {
      return common()
          .define("connection.uri", Type.PASSWORD, Importance.HIGH, "mongodb://…, with user and password")
          .define("database", Type.STRING, "audit", Importance.LOW, "Database of the collections");
    }
  }

  public static final class PostgresTask extends AuditTask {
    @Override
    AuditStore open(Map<String, String> settings) {
      return new PostgresStore(settings);
    }
  }

  public static final class MongoTask extends AuditTask {
    @Override
    AuditStore open(Map<String, String> settings) {
      return new MongoStore(settings);
    }
  }

  private static ConfigDef common() {
    return new ConfigDef().define(
        "accepted.topic.ids", Type.LIST, List.of(), Importance.LOW, "Accepted ids of recreated topics: topic:id");
  }

  @Override
  public void start(Map<String, String> given) {
    settings = given;
  }

  @Override
  public List<Map<String, String>> taskConfigs(int count) {
    return Collections.nCopies(count, settings);
  }

  @Override
  public void stop() {}

  @Override
  public String version() {
    return AppInfoParser.getVersion();
  }
}
