/**
 * What a topic is made with that forgets nothing: dead letters wait for somebody, however long that takes, and what their topic forgets of
 * them would also release their keys.
 */
export const keepsEverything: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'retention.ms': '-1',
  'retention.bytes': '-1'
}
