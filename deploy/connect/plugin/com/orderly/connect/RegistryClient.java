package com.orderly.connect;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.connect.errors.RetriableException;

/**
 * Queries a schema registry through its Confluent API. Settings: `registry.url`, `.username`,
 * `.password`, `.ca.file` (PEM).
 */
final class RegistryClient {
  private static final Duration PATIENCE = Duration.ofSeconds(5);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String url;
  private final Optional<String> authorization;
  private final HttpClient http;

  RegistryClient(Map<String, ?> settings) {
    url = text(settings, "registry.url")
        .orElseThrow(() -> new ConfigException("registry.url is missing: set it to the base of a Confluent-compatible API"))
        .replaceAll("/+$", "");
    authorization = text(settings, "registry.username").map(username -> {
      String credentials = username + ":" + text(settings, "registry.password").orElse("");
      return "Basic " + Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8));
    });
    HttpClient.Builder client = HttpClient.newBuilder().connectTimeout(PATIENCE);
    text(settings, "registry.ca.file").ifPresent(file -> client.sslContext(trusting(Path.of(file))));
    http = client.build();
  }

  String url() {
    return url;
  }

  /** Returns the registry's entry for an id, with its text as `schema`; empty if there is none. */
  Optional<JsonNode> schemaByID(int schemaID) {
    return get("/schemas/ids/" + schemaID);
  }

  /** Returns all versions of a subject, oldest first. */
  List<JsonNode> versions(String subject) {
    String path = "/subjects/" + URLEncoder.encode(subject, StandardCharsets.UTF_8) + "/versions";
    List<JsonNode> versions = new ArrayList<>();
    get(path).ifPresent(numbers -> numbers.forEach(number -> get(path + "/" + number.asInt()).ifPresent(versions::add)));
    return versions;
  }

  /**
   * Reads a path of the registry.
   * @throws RetriableException when the registry gives no reliable answer
   */
  private Optional<JsonNode> get(String path) {
    try {
      HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path)).timeout(PATIENCE);
      authorization.ifPresent(value -> request.header("authorization", value));
      HttpResponse<byte[]> response = http.send(request.build(), BodyHandlers.ofByteArray());
      if (response.statusCode() == 200) return Optional.of(JSON.readTree(response.body()));
      // A wrong base address returns 404 for every path, so only the registry's own error codes
      // count.
      if (response.statusCode() == 404 && errorCode(response.body()).matches("404\\d\\d")) return Optional.empty();
      throw new RetriableException("The schema registry answered " + response.statusCode() + " to " + path);
    } catch (IOException cause) {
      throw new RetriableException("The schema registry cannot be asked for " + path, cause);
    } catch (InterruptedException cause) {
      Thread.currentThread().interrupt();
      throw new RetriableException("Interrupted while asking the schema registry for " + path, cause);
    }
  }

  private static String errorCode(byte[] body) {
    try {
      return JSON.readTree(body).path("error_code").asText();
    } catch (IOException notJSON) {
      return "";
    }
  }

  /**
   * Returns a setting. An unset environment variable leaves the placeholder `${env:NAME}` in the
   * setting.
   */
  private static Optional<String> text(Map<String, ?> settings, String name) {
    return Optional.ofNullable(settings.get(name)).map(Object::toString).filter(value -> !value.isEmpty() && !value.startsWith("${"));
  }

  private static SSLContext trusting(Path file) {
    try (InputStream pem = Files.newInputStream(file)) {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
        store.setCertificateEntry("ca-" + store.size(), certificate);
      }
      TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(store);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      return context;
    } catch (IOException | GeneralSecurityException cause) {
      throw new ConfigException("registry.ca.file " + file + " cannot be read as PEM certificates: " + cause.getMessage());
    }
  }
}
