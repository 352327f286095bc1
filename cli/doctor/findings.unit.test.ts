import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicConfig } from '@orderly/contracts'
import type { PartitionLag } from '@orderly/kafka'
import { diagnose, type Facts } from './findings.ts'

const nowMs = 1_700_000_000_000
const well: Facts = {
  nowMs,
  kafkaFailure: undefined,
  bootstrapServers: 'kafka:9092',
  databaseFailure: undefined,
  registryFailure: undefined,
  databaseFindings: [],
  topics: [],
  brokers: new Map(),
  missingTopics: [],
  groups: [],
  transactions: [],
  deadLetters: [],
  targets: [],
  failing: [],
  exhausted: 0,
  unpublished: { count: 0, oldestMs: undefined },
  incidents: [],
  connect: { kind: 'absent' },
  alerts: { kind: 'absent' }
}
const member = { memberID: 'm', instanceID: 'inventory-1', clientID: 'inventory', host: '127.0.0.1', partitions: [] }
const lag: PartitionLag = {
  groupID: 'orders-created',
  topic: 'orders.created',
  partition: 3,
  committedOffset: 10n,
  beginningOffset: 0n,
  stableOffset: 15n,
  endOffset: 15n,
  lagRecords: 5,
  waitingSinceMs: nowMs - 90_000,
  member
}
const group = { groupID: 'orders-created', state: 'Stable', members: [member], lag: [lag] }
const partition = { partition: 0, leaderID: 1, replicaIDs: [1, 2], inSyncReplicaIDs: [1, 2] }
const configs = (more: Readonly<Record<string, string>> = {}) =>
  new Map(Object.entries({ 'min.insync.replicas': '1', ...topicConfig('orders.created'), ...more }))
const topic = { name: 'orders.created', topicID: 't', isInternal: false, partitions: [partition], configs: configs() }
const brokers = new Map([1, 2].map(id => [id, new Map([['offsets.retention.minutes', '43200']])]))
const day = 86_400_000
const disabledTarget = { target: 'webhook:shop', reason: 'answered 410', waiting: 0, name: null, caller: null }

function find(facts: Partial<Facts>): string[] {
  return diagnose({ ...well, ...facts }, { waitingMs: 30_000 }).map(
    ({ severity, about, what, todo }) => `${severity} ${about}: ${what}. ${todo}`
  )
}

test('a healthy pipeline has no findings', () => {
  assert.deepEqual(
    find({ topics: [topic], groups: [{ ...group, lag: [{ ...lag, waitingSinceMs: nowMs - 5_000 }] }] }),
    []
  )
})

test('incidents are reported by group, kind and topic, with the command that repairs them', () => {
  const incident = {
    ...{ name: 'inventory-1', groupID: 'orders-created', kind: 'offsets_missing' as const, topic: 'orders.created' },
    ...{ partition: 0, fromOffset: 3, toOffset: 9, detectedAt: new Date(nowMs - 90_000) }
  }
  const both: Facts['incidents'] = [incident, { ...incident, name: 'inventory-2', partition: 1 }]
  assert.deepEqual(find({ incidents: both }), [
    'problem group orders-created: the group has lost its offsets, and its stage does not start: orders.created, 2 partitions ' +
      '(0 from 3 to 9, 1 from 3 to 9), 1m 30s ago. npm run orderly -- positions resolve orders-created prints ' +
      'the plan, and with --apply executes it; then npm run orderly -- positions acknowledge --group orders-created ' +
      '--kind offsets_missing --topic orders.created'
  ])
  const recreated = { ...incident, kind: 'topic_recreated', fromOffset: null, toOffset: null } as const
  assert.match(
    find({ incidents: [recreated] })[0] ?? '',
    /^hint .*orders\.created, 1 partition \(0\).*acknowledge inventory-1$/
  )
})

test('a target that accepts nothing is a problem before its deliveries are exhausted', () => {
  const failing = { target: 'webhook:shop', deliveries: 3, sinceMs: nowMs - 7_200_000, code: 'HTTP_500' }
  const [found = '', ...more] = find({ failing: [failing, { ...failing, sinceMs: nowMs - 5_000 }] })
  assert.match(
    found,
    /^problem webhook:shop: has accepted nothing in the last hour, and 3 deliveries fail \(HTTP_500\)/
  )
  assert.deepEqual(more, [])
})

test('an alert that pages is a problem, and another alert is a hint', () => {
  const alert = { name: 'OrderlyConsumerLagHigh', severity: 'page', summary: 'a record waits', sinceMs: nowMs - 60_000 }
  const runbook = 'docs/runbooks/OrderlyConsumerLagHigh.md'
  assert.deepEqual(
    find({
      alerts: {
        kind: 'answered',
        answer: [
          { ...alert, severity: 'ticket', runbook },
          { ...alert, runbook }
        ]
      }
    }),
    ['problem', 'hint'].map(
      severity => `${severity} alert OrderlyConsumerLagHigh: has fired for 1m: a record waits. see ${runbook}`
    )
  )
  assert.match(
    find({ alerts: { kind: 'failed', failure: 'x answered 500' } })[0] ?? '',
    /^problem prometheus: does not/
  )
})

test('failed connectors and tasks are problems, with the first line of the reason', () => {
  const running = { name: 'audit-postgres', state: 'RUNNING', tasks: [{ id: 0, state: 'RUNNING' }] }
  const failed = { id: 1, state: 'FAILED', trace: 'org.apache.kafka.connect.errors.ConnectException: no table' }
  const answered = (...answer: Extract<Facts['connect'], { kind: 'answered' }>['answer']) =>
    find({ connect: { kind: 'answered', answer } })
  assert.deepEqual(answered(running), [])
  const [first = ''] = answered({ ...running, tasks: [...running.tasks, failed] })
  assert.match(first, /^problem connector audit-postgres: 1 task of 2 failed: .*no table\. fix the cause/)
  assert.match(answered({ ...running, state: 'FAILED', tasks: [] })[0] ?? '', /^problem .* failed: no reason given/)
  assert.match(answered({ ...running, tasks: [] })[0] ?? '', /^problem .* has no tasks/)
  assert.match(answered({ ...running, state: 'PAUSED' })[0] ?? '', /^hint .* is paused/)
  assert.match(answered()[0] ?? '', /^hint kafka connect: has no connectors/)
  const lost = find({ connect: { kind: 'failed', failure: 'connect ECONNREFUSED' } })
  assert.match(lost[0] ?? '', /^problem kafka connect: does not answer/)
})

test('the group of a console consumer is not a problem', () => {
  assert.deepEqual(find({ groups: [{ ...group, groupID: 'console-consumer-78497', members: [] }] }), [])
})

/** Facts with one finding each. */
const cases: [Partial<Facts>, RegExp][] = [
  [{ kafkaFailure: 'refused' }, /^problem kafka: does not answer: refused\. .*KAFKA_BROKERS/],
  [{ databaseFailure: 'refused' }, /^problem postgres: .*DATABASE_URL/],
  [
    { databaseFindings: [{ severity: 'problem', what: 'fsync is off', todo: 'set fsync to on' }] },
    /^problem postgres: fsync is off\. set/
  ],
  [{ registryFailure: 'refused' }, /^problem schema registry: .*SCHEMA_REGISTRY_URL/],
  [{ missingTopics: ['orders.created'] }, /^problem orders\.created: is missing\. create it/],
  [{ topics: [{ ...topic, partitions: [{ ...partition, leaderID: -1 }] }] }, /1 partition without a leader \(0\)/],
  [{ topics: [{ ...topic, partitions: [{ ...partition, inSyncReplicaIDs: [1] }] }] }, /replicas that are out of sync/],
  [{ topics: [{ ...topic, name: 'orders.created.dlq' }] }, /^problem orders\.created\.dlq: keeps records for 30d/],
  [{ topics: [{ ...topic, configs: configs({ 'retention.ms': String(7 * day) }) }] }, /keeps records for 7d only/],
  [{ topics: [{ ...topic, configs: configs({ 'retention.bytes': '1000' }) }] }, /removes records as soon as/],
  [{ topics: [{ ...topic, configs: configs({ 'cleanup.policy': 'compact' }) }] }, /has the cleanup\.policy compact/],
  [{ topics: [{ ...topic, configs: configs({ 'min.insync.replicas': '2' }) }] }, /one unavailable broker stops/],
  [
    { topics: [{ ...topic, partitions: [{ ...partition, replicaIDs: [1, 2, 3], inSyncReplicaIDs: [1, 2, 3] }] }] },
    /has min\.insync\.replicas 1 with 3 replicas\. set it to 2/
  ],
  [
    { topics: [{ ...topic, partitions: [{ ...partition, replicaIDs: [1], inSyncReplicaIDs: [1] }] }], brokers },
    /has 1 replica on 2 brokers/
  ],
  [
    { brokers: new Map([[1, new Map([['offsets.retention.minutes', '10080']])]]) },
    /^problem kafka: offsets\.retention\.minutes is 10080 on broker 1\. set it to 43200/
  ],
  [{ settingsFailure: 'not authorized' }, /^hint kafka: the settings of brokers cannot be read: not authorized/],
  [
    { groups: [{ ...group, lag: [{ ...lag, waitingSinceMs: undefined, lagRecords: 0, beginningOffset: 12n }] }] },
    /^problem group orders-created: the records 10 to 12 of orders\.created\/3 were removed/
  ],
  [{ groups: [{ ...group, members: [] }] }, /^problem group orders-created: has no members, and 5 pending records/],
  [
    { groups: [{ ...group, members: [], lag: [] }] },
    /^problem group orders-created: has no members\. start its service \(npm run service -- inventory\)/
  ],
  [{ groups: [{ ...group, groupID: 'reports', members: [], lag: [] }] }, /^hint group reports: has no members\./],
  [
    { groups: [{ ...group, groupID: 'connect-audit', members: [], lag: [] }] },
    /^hint group connect-audit: .*let the connector that reads it run \(docs\/runbooks\/OrderlyAuditStopped\.md\)/
  ],
  [
    { groups: [{ ...group, groupID: 'connect-audit' }] },
    /^problem group connect-audit: .* pending records\. fix what the log of Kafka Connect shows/
  ],
  [
    {
      groups: [
        {
          ...{ ...group, groupID: 'connect-audit' },
          lag: [{ ...lag, waitingSinceMs: undefined, lagRecords: 0, beginningOffset: 12n }]
        }
      ]
    },
    /were removed before they were read\. start the program that reads it: it continues after them with its next record/
  ],
  [
    { groups: [{ ...group, state: 'PreparingRebalance', lag: [] }] },
    /^hint group orders-created: is PreparingRebalance/
  ],
  [
    { groups: [group] },
    /orders\.created\/3 has not advanced for 1m 30s: 5 pending records\. check the log of inventory-1/
  ],
  [
    { groups: [{ ...group, lag: [{ ...lag, committedOffset: 12n, stableOffset: 12n }] }] },
    /an open transaction blocks it/
  ],
  [{ groups: [{ ...group, lag: [{ ...lag, member: undefined }] }] }, /no member reads this partition/],
  [{ targets: [disabledTarget] }, /^problem webhook:shop: is disabled.*WEBHOOK_URLS/],
  [
    { targets: [{ ...disabledTarget, name: 'shop', caller: 'berlin' }] },
    /^problem webhook:shop: is disabled.*: npm run orderly -- endpoints remove shop --caller berlin$/
  ],
  [{ exhausted: 3 }, /^hint notifications: 3 deliveries exhausted/],
  [
    { unpublished: { count: 2, oldestMs: nowMs - 600_000 } },
    /^problem inventory\.stock\.movements: 2 movements not published for 10m/
  ]
]

test('each problem is reported with a remedy', () => {
  for (const [facts, expected] of cases) {
    const [found, ...others] = find(facts)
    assert.match(found ?? 'nothing', expected)
    assert.deepEqual(others, [])
  }
})

const transaction = {
  ...{ transactionalID: 'inventory-1', producerID: 7n, epoch: 2, sinceMs: nowMs - 60_000, timeoutMs: 10_000 },
  partitions: [{ topic: 'orders.created', partition: 3, firstOffset: 40n }]
}
const incident = {
  ...{ name: 'inventory-1', groupID: 'orders-created', topic: 'orders.created', partition: 0 },
  ...{ fromOffset: 3, toOffset: 9, detectedAt: new Date(nowMs - 90_000) }
}
const connector = { name: 'audit', state: 'RUNNING', tasks: [{ id: 0, state: 'RUNNING' }] }
const connectors = (...answer: Extract<Facts['connect'], { kind: 'answered' }>['answer']): Partial<Facts> => ({
  connect: { kind: 'answered', answer }
})
const alert = { name: 'A', severity: 'page', summary: 'why', runbook: undefined, sinceMs: nowMs }

test('the advice of each finding names a command or a step that makes it go away', () => {
  const more: Partial<Facts>[] = [
    ...(['open', 'overdue', 'forgotten'] as const).map(kind => ({ transactions: [{ ...transaction, kind }] })),
    ...(
      [
        'offsets_skipped',
        'topic_recreated',
        'log_truncated',
        'offsets_missing',
        'database_behind',
        'partitions_added'
      ] as const
    ).map(kind => ({ incidents: [{ ...incident, kind }] })),
    connectors(),
    connectors({ ...connector, state: 'PAUSED' }),
    connectors({ ...connector, state: 'FAILED', tasks: [] }),
    connectors({ ...connector, tasks: [] }),
    connectors({ ...connector, tasks: [{ id: 0, state: 'FAILED' }] }),
    connectors({ ...connector, operatorNeeded: 'Schema id 7 led to another schema.' }),
    { connect: { kind: 'failed', failure: 'x answered 500' } },
    { alerts: { kind: 'failed', failure: 'x answered 500' } },
    { alerts: { kind: 'answered', answer: [alert, { ...alert, runbook: 'docs/runbooks/A.md' }] } },
    { groups: [{ ...group, groupID: 'experiment', members: [] }] }
  ]
  const advice = [...cases.map(([facts]) => facts), ...more].flatMap(facts => {
    const found = diagnose({ ...well, ...facts }, { waitingMs: 30_000 })
    assert.notEqual(found.length, 0)
    return found.map(({ what, todo }) => ({ what, todo }))
  })
  const command = /npm (run|start)|kafka-[a-z-]+\.sh|docs\/\S+\.md/
  const step = /^(allow|create|fix|restart|restore|set|start) |: (restart|restore|start) /
  for (const { what, todo } of advice) assert.ok(command.test(todo) || step.test(todo), `${what}. To do: ${todo}`)
})

test('a stopped audit is reported with the topic that it stopped at', () => {
  const reason =
    'The topic orders.created was created again: its id is b, and the rows of generation 1 are of its predecessor. ' +
    'To keep those rows and continue with generation 2, run: npm run orderly -- audit new-generation'
  assert.deepEqual(find(connectors({ ...connector, operatorNeeded: reason })), [
    'problem connector audit: has stopped at the topic orders.created: The topic orders.created was created again: its id is b, ' +
      'and the rows of generation 1 are of its predecessor. find out who deleted the topic, then ' +
      'npm run orderly -- audit new-generation --topic orders.created --connector audit'
  ])
})

test('a record that is unread for half of its retention is reported before it is removed', () => {
  const waiting = (ageMs: number) => [{ ...group, lag: [{ ...lag, waitingSinceMs: nowMs - ageMs }] }]
  const about = (ageMs: number, config = configs()) =>
    find({ topics: [{ ...topic, configs: config }], groups: waiting(ageMs) }).filter(each => each.includes('oldest'))
  assert.deepEqual(about(14 * day), [])
  assert.match(
    about(16 * day)[0] ?? '',
    /^problem group orders-created: .* is 16d old and will be removed in 14d\. raise/
  )
  assert.match(about(31 * day)[0] ?? '', /at any moment/)
  assert.deepEqual(about(31 * day, configs({ 'retention.ms': '-1' })), [])
})

test('transactions that block readers are distinguished by who can end them', () => {
  const partitions = [{ topic: 'orders.created', partition: 3, firstOffset: 40n }]
  const own = { producerID: 7n, epoch: 2, sinceMs: nowMs - 60_000, timeoutMs: 10_000, partitions }
  const open = find({ transactions: [{ ...own, kind: 'open', transactionalID: 'inventory-1' }] })[0] ?? ''
  assert.match(
    open,
    /the transaction of inventory-1 has been open for 1m and blocks orders\.created\/3.*aborts.*after 10s/
  )
  assert.match(find({ transactions: [{ ...own, kind: 'overdue', transactionalID: 'x' }] })[0] ?? '', /broker/)
  const forgotten = find({ transactions: [{ ...own, kind: 'forgotten', transactionalID: undefined }] })[0] ?? ''
  assert.match(
    forgotten,
    /kafka-transactions\.sh --bootstrap-server kafka:9092 abort --topic orders\.created --partition 3 --start-offset 40/
  )
})

test('dead letters are reported by topic with their codes, and problems precede hints', () => {
  const deadLetter = {
    timestampMs: nowMs - 7_200_000,
    code: 'ORDER_INVALID'
  } as Facts['deadLetters'][number]['deadLetters'][number]
  const key = { id: 'ada', topic: 'orders.created.dlq', stage: 'inventory', key: Buffer.from('ada'), blockingCount: 2 }
  const deadLetters = [
    { ...key, deadLetters: [deadLetter, { ...deadLetter, code: 'KEY_BLOCKED' }], inFlight: undefined },
    { ...key, deadLetters: [], inFlight: { name: 'r', isOpen: false } },
    { ...key, deadLetters: [], inFlight: { name: 'r', isOpen: true } }
  ]
  const found = find({ deadLetters, exhausted: 1 })
  assert.match(found[0] ?? '', /^problem .*: 2 pending dead letters of 1 key \(ORDER_INVALID\), the oldest from 2h ago/)
  assert.match(found[1] ?? '', /^problem .*a replay was interrupted/)
  assert.match(found[2] ?? '', /^hint .*the stage has not answered\. start the service with inventory/)
  assert.equal(found.length, 4)
  const copies = { ...key, topic: 'audit.dlq', deadLetters: [{ ...deadLetter, isCopy: true }], inFlight: undefined }
  assert.match(
    find({ deadLetters: [copies] })[0] ?? '',
    /^hint audit\.dlq: 1 pending dead letter .*dlq drop --topic audit\.dlq/
  )
})
