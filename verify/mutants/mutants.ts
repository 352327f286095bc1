import type { Mutant } from './mutant.ts'

const committers = 'packages/kafka/stage/committers.ts'
const runStage = 'packages/kafka/stage/run-stage.ts'
const processBatch = 'packages/kafka/stage/process-batch.ts'
const statements = 'services/inventory/store/statements.ts'
const decideChanges = 'services/inventory/domain/decide-changes.ts'
const exactlyOnceCommit = '    commit: (outputs, offsets, group) => producer.commit(outputs, offsets, group),'

/** Bugs that people really write. The verifier is worth something only as long as it finds each of them. */
export const mutants: readonly Mutant[] = [
  {
    name: 'offsets-first',
    bug: 'offsets are committed before the outputs they belong to',
    patches: [
      {
        file: committers,
        find: exactlyOnceCommit,
        replace: `    commit: async (outputs, offsets, group) => {
      await commitOffsets(cluster, group, offsets)
      await producer.commit(outputs, offsets, group)
    },`
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['transaction-begun', 'outputs-written', 'before-commit'],
    breaks: [2, 8]
  },
  {
    name: 'outputs-outside',
    bug: 'outputs are written outside of the transaction that carries the offsets',
    patches: [
      {
        file: committers,
        find: exactlyOnceCommit,
        replace: `    commit: async (outputs, offsets, group) => {
      const plain = await createProducer(options.connection)
      await plain.send(outputs)
      await plain.close()
      await producer.commit([], offsets, group)
    },`
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['transaction-begun', 'before-commit'],
    breaks: [2]
  },
  {
    name: 'forgets-outcomes',
    bug: 'an order that comes again is decided again',
    patches: [
      {
        file: 'services/inventory/store/postgres.ts',
        find: 'const known = toKnownOrders(outcomeRows, settlementRows)',
        replace: 'const known = toKnownOrders(changed.length === 0 ? [] : outcomeRows, settlementRows)'
      },
      {
        file: statements,
        find: `AS outcome (order_id, user_id, kind, items, reason, shortages\${column})`,
        replace: `AS outcome (order_id, user_id, kind, items, reason, shortages\${column}) ON CONFLICT DO NOTHING`
      },
      {
        file: statements,
        find: 'SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])`,',
        replace: 'SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) ON CONFLICT DO NOTHING`,'
      },
      {
        file: statements,
        find: 'SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])`,',
        replace: 'SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) ON CONFLICT DO NOTHING`,'
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['batch-processed', 'before-commit'],
    breaks: [4, 5]
  },
  {
    name: 'reads-aborted',
    bug: 'records of aborted transactions are not filtered',
    patches: [
      {
        file: 'packages/kafka/committed-read/committed-records.ts',
        find: '!abortedProducers.has(batch.producerId)',
        replace: 'abortedProducers.size >= 0'
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['outputs-written', 'before-commit'],
    breaks: [3]
  },
  {
    name: 'no-generation',
    bug: 'the group coordinator is not told the generation, so whoever lost its partitions can still commit',
    patches: [
      {
        file: 'packages/kafka/transaction/transactional-producer.ts',
        find: `        group.generation,
        group.memberID,
        group.instanceID,`,
        replace: `        -1,
        '',
        null,`
      }
    ],
    faults: { 'freeze-at-point': 1 },
    services: ['inventory'],
    points: ['batch-read', 'batch-processed'],
    durationMs: 50_000,
    breaks: [2, 8]
  },
  {
    name: 'unstable-offsets',
    bug: 'a new owner starts from offsets that a transaction under way is about to replace',
    patches: [
      {
        file: 'packages/kafka/group/committed-offsets.ts',
        find: `[{ groupId: group.groupID, memberId: null, memberEpoch: -1, topics }],
      true`,
        replace: `[{ groupId: group.groupID, memberId: null, memberEpoch: -1, topics }],
      false`
      }
    ],
    faults: { 'freeze-at-point': 1 },
    services: ['inventory'],
    points: ['before-commit'],
    durationMs: 50_000,
    breaks: [2, 8]
  },
  {
    name: 'keeps-position',
    bug: 'after a failed commit reading goes on behind the batch that failed',
    patches: [
      {
        file: runStage,
        find: '        this.#fetcher.assign(positions)',
        replace: '        if (this.#failures === 0) this.#fetcher.assign(positions)'
      },
      { file: runStage, find: '    this.#fetcher.assign([])\n', replace: '' }
    ],
    faults: { 'mute-at-point': 1 },
    services: ['inventory'],
    points: ['batch-processed', 'transaction-begun'],
    breaks: [2, 8]
  },
  {
    name: 'fence-ignored',
    bug: 'an instance that was fenced tries again instead of leaving',
    patches: [
      {
        file: 'packages/kafka/errors.ts',
        find: `another instance has taken this one's place (\${name})\`, {
      retryable: false`,
        replace: `another instance has taken this one's place (\${name})\`, {
      retryable: true`
      },
      { file: 'packages/kafka/group/member.ts', find: '      this.#failure = error\n', replace: '' }
    ],
    faults: { replace: 1 },
    services: ['inventory'],
    durationMs: 40_000,
    breaks: [12]
  },
  {
    name: 'drops-poison',
    bug: 'what cannot be decoded is left out and forgotten',
    patches: [{ file: processBatch, find: 'outputs.push(park(record, error))', replace: 'void park(record, error)' }],
    faults: { poison: 1 },
    breaks: [14]
  },
  {
    name: 'followers-overtake',
    bug: 'orders behind a parked one of the same user are processed',
    patches: [
      {
        file: processBatch,
        find: '    if (parked === undefined || parked.size === 0) return undefined',
        replace: '    if (parked !== undefined || reason === undefined) return undefined'
      }
    ],
    faults: { poison: 1 },
    breaks: [14]
  },
  {
    name: 'parks-when-away',
    bug: 'orders are parked because the database is away',
    patches: [
      {
        file: 'services/inventory/store/is-transient.ts',
        find: '  if (isTransientPostgresError(error)) return true',
        replace: '  if (isTransientPostgresError(error)) return false'
      }
    ],
    faults: { 'kill-postgres': 1 },
    services: ['notification'],
    breaks: [14]
  },
  {
    name: 'split-transaction',
    bug: 'outcomes and stock are written in two database transactions',
    patches: [
      {
        file: 'packages/postgres/transaction.ts',
        find: "const written = await Promise.all([...sendAll(client, writes), client.query('COMMIT')])",
        replace: `const [first, ...others] = writes
    await Promise.all([...sendAll(client, first === undefined ? [] : [first]), client.query('COMMIT')])
    await client.query(begin)
    const written = await Promise.all([...sendAll(client, others), client.query('COMMIT')])`
      }
    ],
    faults: { kill: 4, cut: 1, 'kill-postgres': 1 },
    services: ['inventory'],
    requestsPerSecond: 150,
    durationMs: 40_000,
    breaks: [4, 5]
  },
  {
    name: 'no-row-lock',
    bug: 'stock is read without locking its rows',
    patches: [{ file: statements, find: ' ORDER BY sku FOR UPDATE', replace: ' ORDER BY sku' }],
    faults: { freeze: 1 },
    services: ['inventory'],
    requestsPerSecond: 200,
    breaks: [4, 6, 14]
  },
  {
    name: 'off-by-one',
    bug: 'the last piece of a SKU is never given away',
    patches: [
      { file: 'services/inventory/domain/decide.ts', find: 'if (requested > left)', replace: 'if (requested >= left)' }
    ],
    faults: { kill: 1 },
    breaks: [6]
  },
  {
    name: 'half-reserved',
    bug: 'an order is reserved as soon as one of its lines can be',
    patches: [
      {
        file: 'services/inventory/domain/decide.ts',
        find: 'if (shortages.length > 0) {',
        replace: 'if (shortages.length === demand.size) {'
      }
    ],
    faults: { kill: 1 },
    breaks: [4, 6, 14]
  },
  {
    name: 'unkeyed',
    bug: 'outcomes are keyed by order, so those of one user are spread over partitions',
    patches: [
      {
        file: 'services/inventory/to-results/result-record.ts',
        find: 'return toRecord(topics.inventoryReserved, result.event, traceparent)',
        replace:
          'return { ...toRecord(topics.inventoryReserved, result.event, traceparent), key: result.event.orderID }'
      }
    ],
    faults: { kill: 1 },
    breaks: [7]
  },
  {
    name: 'remembers-later',
    bug: 'the offsets of outcomes are committed before their notifications are remembered',
    patches: [
      {
        file: 'services/notification/from-results/result-stage.ts',
        find: '      await accept(',
        replace: '      setTimeout(accept, 100, '
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['notification'],
    points: ['after-commit'],
    breaks: [8, 11]
  },
  {
    name: 'settles-first',
    bug: 'a notification counts as sent before it is sent',
    patches: [
      {
        file: 'services/notification/to-recipient/delivery-loop.ts',
        find: '            : await send(delivery)',
        replace: "            : (setTimeout(() => void send(delivery), 100), { kind: 'sent' })"
      }
    ],
    faults: { kill: 1 },
    services: ['notification'],
    breaks: [8, 11]
  },
  {
    name: 'new-identity-per-try',
    bug: 'a write that is tried again looks like another one to the brokers',
    patches: [
      {
        file: 'packages/kafka/producer/producer.ts',
        find: 'this.#write({ topic: lane.topic, partition: lane.partition, records, firstSequence }, session)',
        replace: `this.#initSession().then(fresh =>
          this.#write({ topic: lane.topic, partition: lane.partition, records, firstSequence: 0 }, fresh)
        )`
      }
    ],
    faults: { mute: 1 },
    breaks: [1]
  },
  {
    name: 'answers-early',
    bug: 'an order is answered 202 before the brokers have it',
    patches: [
      {
        file: 'services/order/from-http/place.ts',
        find: 'await publish(order, traceparent, caller)',
        replace: 'void publish(order, traceparent, caller).catch(() => {})'
      }
    ],
    faults: { kill: 3, cut: 1, stall: 1 },
    services: ['order'],
    requestsPerSecond: 150,
    breaks: [1]
  },
  {
    name: 'releases-again',
    bug: 'a cancel that is repeated is answered with the release again',
    patches: [
      {
        file: decideChanges,
        find: 'isSame(settlement?.place, place))',
        replace: "isSame(settlement?.place, place) || (change.change === 'cancel' && settlement?.kind === 'released'))"
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [2]
  },
  {
    name: 'release-forgotten',
    bug: 'a release whose event was lost with its transaction is not told when its record comes again',
    patches: [
      {
        file: decideChanges,
        find: 'if (former !== undefined) return {',
        replace: 'if (former?.place === place) return {'
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['batch-processed', 'before-commit'],
    requestsPerSecond: 150,
    breaks: [2]
  },
  {
    name: 'early-cancel-lost',
    bug: 'a cancel that comes before its order is decided is ignored',
    patches: [
      {
        file: decideChanges,
        find: "if (change.change !== 'cancel') return unchanged",
        replace: "if (change.change !== 'expand') return unchanged"
      }
    ],
    faults: { freeze: 1, kill: 1 },
    services: ['inventory'],
    breaks: [2]
  },
  {
    name: 'expiry-ignores-confirmation',
    bug: 'a hold expires although it was confirmed',
    patches: [
      {
        file: decideChanges,
        find: "return isHeld && holdUntilMs <= requestedAtMs ? release('expired')",
        replace: "return holdUntilMs !== null && holdUntilMs <= requestedAtMs ? release('expired')"
      },
      {
        file: 'services/inventory/store/postgres.ts',
        find: 'statements.deleteHolds(settlements.map(({ event }) => event.orderID))',
        replace: 'statements.deleteHolds(released.map(({ event }) => event.orderID))'
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [2]
  },
  {
    name: 'keeps-released',
    bug: 'released stock is no longer reserved, but nobody can have it',
    patches: [
      {
        file: statements,
        find: 'SET available = available - moved.quantity,',
        replace: 'SET available = available - greatest(moved.quantity, 0),'
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [4]
  },
  {
    name: 'asks-once',
    bug: 'the expiry of a hold is asked for once, also when that was never written',
    patches: [
      {
        file: statements,
        find: `UPDATE inventory.holds SET expire_at = greatest($3::timestamptz, $1::timestamptz + ($1 - hold_until) / 10)
      FROM inventory.outcomes`,
        replace: `DELETE FROM inventory.holds
      USING (SELECT * FROM inventory.outcomes WHERE $3::timestamptz IS NOT NULL) AS outcomes`
      }
    ],
    faults: { 'kill-at-point': 2, mute: 1 },
    services: ['inventory'],
    points: ['transaction-begun', 'outputs-written', 'before-commit'],
    requestsPerSecond: 150,
    durationMs: 40_000,
    breaks: [2]
  },
  {
    name: 'any-answer-will-do',
    bug: 'a webhook counts as taken whatever the endpoint answers',
    patches: [
      {
        file: 'services/notification/to-recipient/webhook/webhook.ts',
        find: 'if (statusCode >= 200 && statusCode < 300) {',
        replace: 'if (statusCode >= 200 && statusCode < 600) {'
      }
    ],
    faults: { kill: 1 },
    services: ['notification'],
    breaks: [11]
  },
  {
    name: 'new-id-for-each-attempt',
    bug: 'a webhook that is sent again has another id, so that nobody can tell that it is the same',
    patches: [
      {
        file: 'services/notification/to-recipient/webhook/webhook.ts',
        find: 'const webhookID = webhookIDOf(notification.id)',
        replace: 'const webhookID = webhookIDOf(notification.id + Date.now())'
      }
    ],
    faults: { kill: 1 },
    services: ['notification'],
    breaks: [11]
  },
  {
    name: 'poison-passed-over',
    bug: 'a record that cannot be read is passed over without a word',
    patches: [
      {
        file: processBatch,
        find: 'outputs.push(park(record, error))',
        replace: 'if (record.topic === stage.inputs[0]?.name) outputs.push(park(record, error))'
      }
    ],
    faults: { 'poison-changes': 3, kill: 1 },
    services: ['inventory'],
    breaks: [14]
  }
]
