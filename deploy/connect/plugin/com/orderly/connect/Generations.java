package com.orderly.connect;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.connect.errors.RetriableException;

/**
 * Counts how often a topic was created. Offsets start at 0 for each topic id, so each row carries
 * the generation of its topic.
 *
 * The first topic id found starts generation 1. Any other id requires an operator's consent
 * (`accepted.topic.ids`), because the former topic may have been deleted by mistake, with records
 * that were never audited.
 *
 * `check` runs after a batch is fetched and before it is written. A topic id is never reused. If
 * two checks find the same id, every record between them belongs to that topic.
 */
final class Generations {
  private final KafkaView kafka;
  private final AuditStore store;
  private final String connector;
  private final Set<String> accepted;
  private final Map<String, Map<String, Integer>> recorded = new HashMap<>();

  /**
   * Creates a check for one connector.
   * @param accepted topics with their ids, as `orders.created:<id>`
   */
  Generations(KafkaView kafka, AuditStore store, String connector, Set<String> accepted) {
    this.kafka = kafka;
    this.store = store;
    this.connector = connector;
    this.accepted = accepted;
  }

  /**
   * Returns the generation of each topic.
   * @throws OperatorNeeded for a recreated topic
   */
  Map<String, Integer> check(Collection<String> topics) {
    Map<String, Integer> generations = new HashMap<>();
    kafka.topicIDs(topics).forEach((topic, id) -> generations.put(topic, generationOf(topic, id)));
    return generations;
  }

  private int generationOf(String topic, String id) {
    Map<String, Integer> known = recorded.computeIfAbsent(topic, store::generations);
    if (!known.containsKey(id)) {
      int newest = known.values().stream().mapToInt(Integer::intValue).max().orElse(0);
      if (newest > 0 && !accepted.contains(topic + ":" + id)) {
        throw new OperatorNeeded("The topic " + topic + " was created again: its id is " + id + ", and the rows of generation " + newest
            + " are of its predecessor. To keep those rows and continue with generation " + (newest + 1)
            + ", run: npm run orderly -- audit new-generation --topic " + topic + " --connector " + connector
            + " (it adds " + topic + ":" + id + " to the connector's setting accepted.topic.ids).");
      }
      store.addGeneration(topic, newest + 1, id);
      known = store.generations(topic);
      recorded.put(topic, known);
      if (!known.containsKey(id)) throw new RetriableException("Another task has recorded generation " + (newest + 1) + " of " + topic);
    }
    return known.get(id);
  }
}
