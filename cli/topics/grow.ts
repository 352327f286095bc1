import { setTimeout as delay } from 'node:timers/promises'
import { parseDuration, parseNumber, plural } from '@orderly/command-line'
import {
  acceptanceReadMs,
  acceptanceRecord,
  acceptanceTopic,
  ephemeralGroupPrefixes,
  topicNames
} from '@orderly/contracts'
import { createProducer, growTopic, type KafkaInspector } from '@orderly/kafka'
import { type Command, Failure, orderly } from '../command-line/command.ts'

/**
 * Adds partitions to a topic and keeps the order of each user's records.
 *
 * The partition of a key depends on the number of partitions. A record in a new partition may be
 * read before an older record of its key in an old partition. So when the topic grows, no record
 * may be pending in it, and nothing may be written with the old number later:
 *
 * 1. **Pause**: order services answer 503 with `Retry-After` (contracts/acceptance.ts). The command
 *    renews the pause until it ends. If the command is killed, the pause expires.
 * 2. **Drain**: waits until nothing has been written for a while and every group has processed
 *    everything. An instance that does not see the pause keeps writing; the command then fails here
 *    and changes nothing.
 * 3. **Grow**: adds the partitions, and waits until every writer has refreshed its metadata
 *    (`KAFKA_METADATA_MAX_AGE_MS`).
 * 4. **Resume**: ends the pause.
 */
export const growTopics: Command = {
  name: 'topics grow',
  summary: 'add partitions to a topic; pauses acceptance of orders for about a minute, to keep the order of each user',
  argument: 'TOPIC',
  examples: ['topics grow orders.created --partitions 12', 'topics grow orders.created --partitions 12 --timeout 10m'],
  options: {
    partitions: { type: 'string', placeholder: 'N', description: 'new number of partitions' },
    quiet: {
      type: 'string',
      placeholder: 'DURATION',
      description: 'time without writes before the topic grows; must exceed ORDER_DELIVERY_TIMEOUT_MS (default 10s)'
    },
    timeout: {
      type: 'string',
      placeholder: 'DURATION',
      description: 'how long the pause may last before the topic grows (default 5m)'
    },
    except: {
      type: 'string',
      multiple: true,
      placeholder: 'GROUP',
      description: 'a group that need not be drained; may be repeated'
    }
  },
  async run({ argument, options, output, connections, signal }) {
    const topic = String(argument)
    if (!Object.values<string>(topicNames).includes(topic))
      throw new Failure(`${topic} is not a topic of Orderly's events: ${orderly} topics shows all topics.`)
    const duration = (name: string, minimumMs: number, otherwiseMs: number) =>
      parseDuration(options.text(name), name, { minimumMs, maximumMs: 3_600_000, otherwiseMs })
    const quietMs = duration('quiet', 1_000, 10_000)
    const timeoutMs = duration('timeout', 10_000, 300_000)
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
        `Topic ${acceptanceTopic} does not exist: create it (npm start does), and restart the order services.`
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
        `acceptance is paused, waiting until ${groups.join(', ') || 'no group'} has processed everything in ${topic}`
      )
      await delay(2 * acceptanceReadMs, undefined, { signal })
      await drain({ inspector, topic, groups, quietMs, deadlineMs: Date.now() + timeoutMs, signal })
      await growTopic(connection, topic, to)
      output.progress(`${topic} has ${to} partitions, waiting until all writers have refreshed their metadata`)
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

/** Duration of one pause record. It exceeds several renewals and the differences between clocks. */
const leaseMs = 60_000
const renewEveryMs = 10_000
const pollMs = 500
const defaultMaxAgeMs = 10_000
/**
 * Maximum age of metadata in use, relative to its setting: twice the setting, with a jitter of a
 * fifth.
 */
const longestAge = 2.4

async function renew(pause: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (;;) {
    await delay(renewEveryMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    await pause().catch(() => {}) // the lease outlasts several renewals
  }
}

/**
 * Returns the groups that read the topic.
 * @throws Failure if a group has pending records and no members
 */
async function readersOf(inspector: KafkaInspector, topic: string, except: ReadonlySet<string>): Promise<string[]> {
  const readers: string[] = []
  for (const groupID of await inspector.groups()) {
    if (except.has(groupID) || ephemeralGroupPrefixes.some(beginning => groupID.startsWith(beginning))) continue
    const group = await inspector.group(groupID)
    const lag = (await inspector.lag(group)).filter(own => own.topic === topic)
    if (lag.length === 0) continue
    readers.push(groupID)
    if (group.members.length === 0 && lag.some(({ lagRecords }) => lagRecords > 0)) {
      const todo = `start the service that reads it, or leave the group out with --except ${groupID}`
      throw new Failure(
        `Group ${groupID} has no members, so its pending records in ${topic} would never be processed: ${todo}.`
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
        : `records are still written: an order instance does not read ${acceptanceTopic}, or another program writes`
      throw new Failure(`${topic} is unchanged: ${why}. Acceptance is resumed.`)
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
