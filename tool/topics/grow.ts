import { setTimeout as delay } from 'node:timers/promises'
import { acceptanceReadMs, acceptanceRecord, acceptanceTopic, passingGroups, topicNames } from '@orderly/contracts'
import { createProducer, growTopic, type KafkaInspector } from '@orderly/kafka'
import { type Command, Failure, orderly } from '../command-line/command.ts'
import { parseNumber, plural } from '../command-line/numbers.ts'

/**
 * Adds partitions to a topic and keeps the order of each user's records.
 *
 * The partition of a key depends on the number of partitions. A record in a new partition may be read before an older one of its key in
 * an old partition. So at the moment of the growth nothing may wait in the topic, and nothing may be written with the old number later:
 *
 * 1. **Pause**: order services answer 503 with `Retry-After` (contracts/acceptance.ts). The pause is renewed until the command ends, and
 *    ends automatically when the command is killed.
 * 2. **Drain**: until nothing has been written for a while and every group has processed everything. An instance that does not see the
 *    pause keeps writing, so the command fails here, and changes nothing.
 * 3. **Grow**, and wait until every writer that knew the old number has asked again (`KAFKA_METADATA_MAX_AGE_MS`).
 * 4. **Resume**.
 */
export const growTopics: Command = {
  name: 'topics grow',
  summary:
    'add partitions to a topic: pauses acceptance of orders for about a minute, so that the order of each user is kept',
  argument: 'TOPIC',
  options: {
    partitions: { type: 'string', placeholder: 'N', description: 'how many partitions the topic is to have' },
    quiet: {
      type: 'string',
      placeholder: 'SECONDS',
      description:
        'how long nothing must have been written before the growth; longer than ORDER_DELIVERY_TIMEOUT_MS (10)'
    },
    timeout: { type: 'string', placeholder: 'SECONDS', description: 'how long the pause may last until then (300)' },
    except: { type: 'string', multiple: true, placeholder: 'GROUP', description: 'a group that need not be drained' }
  },
  async run({ argument, options, output, connections, signal }) {
    const topic = String(argument)
    if (!Object.values<string>(topicNames).includes(topic))
      throw new Failure(`${topic} is not a topic of Orderly's events: ${orderly} topics shows them.`)
    const seconds = (name: string, minimum: number, otherwise: number) =>
      parseNumber(options.text(name), name, { minimum, maximum: 3_600, otherwise }) * 1_000
    const quietMs = seconds('quiet', 1, 10)
    const timeoutMs = seconds('timeout', 10, 300)
    const connection = connections.kafka()
    const inspector = connections.inspector()
    const [described] = await inspector.topics([topic])
    if (described === undefined) throw new Failure(`Topic ${topic} does not exist.`)
    const from = described.partitions.length
    const to = parseNumber(options.text('partitions'), 'partitions', { minimum: 1, maximum: 1_000, otherwise: 0 })
    if (to <= from)
      throw new Failure(
        `${topic} has ${plural(from, 'partition')}: give --partitions a larger number. Partitions cannot be removed.`
      )
    if ((await inspector.topics([acceptanceTopic])).length === 0)
      throw new Failure(
        `Topic ${acceptanceTopic} does not exist: create it (npm start does), and start the order services again.`
      )
    const groups = await readersOf(inspector, topic, new Set(options.texts('except')))

    const producer = await createProducer(connection, { deliveryTimeoutMs: 10_000 })
    const pausing = new AbortController()
    const pause = () => producer.send([acceptanceRecord(Date.now() + leaseMs)])
    let renewing: Promise<void> = Promise.resolve()
    try {
      await pause()
      renewing = renew(pause, pausing.signal)
      output.progress(
        `acceptance is paused; waiting until ${groups.join(', ') || 'no group'} has processed everything in ${topic}`
      )
      await delay(2 * acceptanceReadMs, undefined, { signal })
      await drain({ inspector, topic, groups, quietMs, deadlineMs: Date.now() + timeoutMs, signal })
      await growTopic(connection, topic, to)
      output.progress(`${topic} has ${to} partitions; waiting until all writers know that`)
      await delay(longestAge * (connection.metadataMaxAgeMs ?? defaultMaxAgeMs) + 1_000, undefined, { signal })
    } finally {
      pausing.abort()
      await renewing
      await producer.send([acceptanceRecord(0)])
      await producer.close()
    }
    output.json({ topic, from, to })
    output.line(`${topic} has ${to} partitions instead of ${from}; orders are accepted again.`)
    return 0
  }
}

/** Longer than several renewals, and than clocks may differ. */
const leaseMs = 60_000
const renewEveryMs = 10_000
const pollMs = 500
const defaultMaxAgeMs = 10_000
/** Facts about the cluster are not used any more after twice their age, which varies by a fifth. */
const longestAge = 2.4

async function renew(pause: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (;;) {
    await delay(renewEveryMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    await pause().catch(() => {}) // the lease outlasts several renewals
  }
}

/** @throws Failure when a group has records to read, and no member that reads them */
async function readersOf(inspector: KafkaInspector, topic: string, except: ReadonlySet<string>): Promise<string[]> {
  const readers: string[] = []
  for (const groupID of await inspector.groups()) {
    if (except.has(groupID) || passingGroups.some(beginning => groupID.startsWith(beginning))) continue
    const group = await inspector.group(groupID)
    const lag = (await inspector.lag(group)).filter(own => own.topic === topic)
    if (lag.length === 0) continue
    readers.push(groupID)
    if (group.members.length === 0 && lag.some(({ lagRecords }) => lagRecords > 0)) {
      const todo = `start the service that reads it, or leave the group out with --except ${groupID}`
      throw new Failure(
        `Group ${groupID} has no members, so what waits for it in ${topic} would never be processed: ${todo}.`
      )
    }
  }
  return readers
}

async function drain(options: {
  readonly inspector: KafkaInspector
  readonly topic: string
  readonly groups: readonly string[]
  readonly quietMs: number
  readonly deadlineMs: number
  readonly signal: AbortSignal
}): Promise<void> {
  const { inspector, topic, groups, quietMs, deadlineMs, signal } = options
  const [described] = await inspector.topics([topic])
  const places = (described?.partitions ?? []).map(({ partition }) => ({ topic, partition }))
  let ends = ''
  let quietSinceMs = performance.now()
  for (;;) {
    const found = await inspector.offsets(places, 'end')
    if (found.some(position => position === undefined)) throw new Failure(`A partition of ${topic} has no leader.`)
    const now = found.map(position => position?.offset).join(' ')
    if (now !== ends) quietSinceMs = performance.now()
    ends = now
    const waiting = await waitingFor(inspector, topic, groups)
    const isQuiet = performance.now() - quietSinceMs >= quietMs
    if (isQuiet && waiting.length === 0) return
    if (Date.now() >= deadlineMs) {
      const why = isQuiet
        ? `${waiting.join(', ')} has not processed everything`
        : `records are still written: an instance of order does not read ${acceptanceTopic}, or something else writes`
      throw new Failure(`${topic} is not changed: ${why}. Acceptance is resumed.`)
    }
    await delay(pollMs, undefined, { signal })
  }
}

async function waitingFor(inspector: KafkaInspector, topic: string, groups: readonly string[]): Promise<string[]> {
  const waiting: string[] = []
  for (const groupID of groups) {
    const lag = await inspector.lag(await inspector.group(groupID))
    if (lag.some(own => own.topic === topic && own.lagRecords > 0)) waiting.push(groupID)
  }
  return waiting
}
