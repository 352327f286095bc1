/**
 * Configuration of a topic that keeps its records forever. Dead letters wait until an operator
 * handles them, however long that takes, and their keys stay blocked until then.
 */
export const keepsEverything: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'retention.ms': '-1',
  'retention.bytes': '-1'
}

/**
 * Configuration of a dead-letter topic. It accepts much larger batches than event topics (1 MiB by
 * default), because a dead letter has the value of its record and more headers. It accepts any
 * timestamp.
 */
export const deadLetterTopicConfig: Readonly<Record<string, string>> = {
  ...keepsEverything,
  'max.message.bytes': String(10 * 1024 * 1024),
  'message.timestamp.before.max.ms': '9223372036854775807',
  'message.timestamp.after.max.ms': '9223372036854775807'
}
