import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.util.Map;

/**
 * Entry point of the peers in Java. A peer reads tasks from standard input, one JSON object per
 * line, and answers each with a JSON object on standard output. It exits at the end of its input,
 * so it cannot outlive the benchmark.
 */
public final class Peer {
  interface Work {
    Map<String, Object> run(JsonNode task) throws Exception;
  }

  private static final ObjectMapper json = new ObjectMapper();
  private static final com.sun.management.OperatingSystemMXBean system =
      (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  public static void main(String[] arguments) throws Exception {
    Work work =
        switch (arguments[0]) {
          case "stage" -> StagePeer::run;
          case "streams" -> StreamsPeer::run;
          case "inventory" -> new InventoryPeer()::run;
          case "order" -> OrderPeer::run;
          default -> throw new IllegalArgumentException("unknown peer: " + arguments[0]);
        };
    var output = System.out;
    System.setOut(System.err); // keeps output of libraries out of the answers
    var input = new BufferedReader(new InputStreamReader(System.in));
    for (var line = input.readLine(); line != null; line = input.readLine()) {
      output.println(json.writeValueAsString(work.run(json.readTree(line))));
      output.flush();
    }
    System.exit(0);
  }

  /**
   * Measures wall-clock time and CPU time of the process, from the first record to the last commit.
   */
  static final class Stopwatch {
    private long startedNs;
    private long startedCPUNs;

    void startOnce() {
      if (startedNs != 0) return;
      startedNs = System.nanoTime();
      startedCPUNs = system.getProcessCpuTime();
    }

    Map<String, Object> stop() {
      var seconds = (System.nanoTime() - startedNs) / 1e9;
      return Map.of("seconds", seconds, "cpuSeconds", (system.getProcessCpuTime() - startedCPUNs) / 1e9);
    }
  }
}
