import { formatDuration, plural } from '@orderly/command-line'
import { brokerRetention, operationLogTopic, topicConfig, topicNames } from '@orderly/contracts'
import { deadLetterTopic, type PartitionLag, type TopicDescription } from '@orderly/kafka'
import { orderly } from '../command-line/command.ts'
import { type Finding, problem } from './finding.ts'
import { continueAfterRemoved } from './readers.ts'

interface TopicFacts extends TopicDescription {
  readonly configs: ReadonlyMap<string, string>
}

export interface RetentionFacts {
  readonly nowMs: number
  readonly topics: readonly TopicFacts[]
  /** Settings of each broker. */
  readonly brokers: ReadonlyMap<number, ReadonlyMap<string, string>>
  /** Reason why the settings of brokers cannot be read; undefined if they can. */
  readonly settingsFailure?: string | undefined
  readonly groups: readonly {
    readonly groupID: string
    readonly state: string
    readonly members: readonly unknown[]
    readonly lag: readonly PartitionLag[]
  }[]
}

/**
 * Share of the retention of a topic. An older record that a group has not read is reported, because
 * it will be removed soon.
 */
const alarmingShare = 0.5
const forEver = -1
const ownTopics = new Set<string>([...Object.values(topicNames), operationLogTopic])

/**
 * Returns deviations from the retention table (contracts/retention.ts), and topics that a single
 * broker failure stops or loses.
 */
export function configFindings({ topics, brokers, settingsFailure }: RetentionFacts): Finding[] {
  const own = topics.filter(({ name }) => ownTopics.has(name) || name.endsWith(deadLetterTopic('')))
  return [
    ...own.flatMap(keptFindings),
    ...own.flatMap(topic => replicationFindings(topic, brokers.size)),
    ...brokerFindings(brokers),
    ...(settingsFailure === undefined ? [] : [unreadSettings(settingsFailure)])
  ]
}

function keptFindings({ name, configs }: TopicFacts): Finding[] {
  const found: Finding[] = []
  for (const [config, wanted] of Object.entries(topicConfig(name))) {
    const value = configs.get(config)
    if (value === undefined || value === wanted) continue
    const todo = `set its ${config} to ${wanted}: ${alterTopic(name, config, wanted)}`
    if (config === 'cleanup.policy') found.push(problem(name, `has the ${config} ${value}`, todo))
    if (config === 'retention.ms' && isLess(value, wanted)) {
      const what = `keeps records for ${formatDuration(Number(value))} only`
      found.push(problem(name, what, `${todo}; otherwise unread records and blocked keys are lost`))
    }
    if (config === 'retention.bytes' && isLess(value, wanted))
      found.push(problem(name, `removes records as soon as a partition has ${value} bytes`, todo))
  }
  return found
}

/** Returns the command that changes a setting of a topic. */
const alterTopic = (topic: string, config: string, value: string): string =>
  `${orderly} topics configure ${topic} --set ${config}=${value}`

const isLess = (value: string, wanted: string): boolean =>
  Number(value) !== forEver && (Number(wanted) === forEver || Number(value) < Number(wanted))

function replicationFindings({ name, partitions, configs }: TopicFacts, brokers: number): Finding[] {
  const replicas = Math.min(...partitions.map(({ replicaIDs }) => replicaIDs.length))
  const inSync = Number(configs.get('min.insync.replicas') ?? 1)
  if (replicas < Math.min(3, brokers)) {
    const todo = 'add replicas with kafka-reassign-partitions.sh: otherwise a broken disk loses records'
    return [problem(name, `has ${plural(replicas, 'replica')} on ${plural(brokers, 'broker')}`, todo)]
  }
  if (replicas >= 3 && inSync < 2) {
    const todo = `set it to 2 (${alterTopic(name, 'min.insync.replicas', '2')}): otherwise an acknowledged order may exist on one broker only`
    return [problem(name, `has min.insync.replicas ${inSync} with ${replicas} replicas`, todo)]
  }
  if (replicas > 1 && inSync >= replicas) {
    const todo = `lower it by one (${alterTopic(name, 'min.insync.replicas', String(inSync - 1))}), or add a replica: otherwise one unavailable broker stops all writers`
    return [problem(name, `has min.insync.replicas ${inSync} with ${replicas} replicas`, todo)]
  }
  return []
}

function brokerFindings(brokers: RetentionFacts['brokers']): Finding[] {
  return Object.entries(brokerRetention).flatMap(([setting, wanted]) => {
    const short = [...brokers].filter(([, settings]) => Number(settings.get(setting) ?? wanted) < wanted)
    if (short.length === 0) return []
    const values = short.map(([brokerID, settings]) => `${settings.get(setting)} on broker ${brokerID}`).join(', ')
    return [problem('kafka', `${setting} is ${values}`, `set it to ${wanted} or more: ${consequences[setting]}`)]
  })
}

function unreadSettings(failure: string): Finding {
  const what = `the settings of brokers cannot be read: ${failure}`
  const settings = Object.entries(brokerRetention).map(([setting, wanted]) => `${setting} is ${wanted} or more`)
  const todo = `allow this user DescribeConfigs on the cluster, or check that ${settings.join(' and ')}`
  return { severity: 'hint', about: 'kafka', what, todo }
}

const consequences: Readonly<Record<string, string>> = {
  'offsets.retention.minutes': 'a group that was stopped for longer has lost its offsets and does not start',
  'producer.id.expiration.ms': 'an order that is retried with its key after that may be written twice'
}

/**
 * Returns findings for records that retention has removed, or will remove soon, before a group
 * reads them.
 */
export function unreadFindings({ topics, groups, nowMs }: RetentionFacts): Finding[] {
  const configs = new Map(topics.map(({ name, configs }) => [name, configs]))
  return groups.flatMap(({ groupID, lag }) => {
    const removed = lag.filter(isRemoved).map(({ topic, partition, committedOffset, beginningOffset }) => {
      const what = `the records ${committedOffset} to ${beginningOffset} of ${topic}/${partition} were removed before they were read`
      const todo = `${continueAfterRemoved(groupID)}; raise retention.ms`
      return problem(`group ${groupID}`, what, todo)
    })
    const endangered = lag.flatMap(own => {
      const retentionMs = Number(configs.get(own.topic)?.get('retention.ms') ?? forEver)
      const ageMs = own.waitingSinceMs === undefined ? 0 : nowMs - own.waitingSinceMs
      const isDeleted = configs.get(own.topic)?.get('cleanup.policy')?.includes('delete') === true
      if (!isDeleted || retentionMs < 0 || ageMs < retentionMs * alarmingShare) return []
      const left = ageMs < retentionMs ? `in ${formatDuration(retentionMs - ageMs)}` : 'at any moment'
      const what = `its oldest unread record in ${own.topic}/${own.partition} is ${formatDuration(ageMs)} old and will be removed ${left}`
      return [
        problem(
          `group ${groupID}`,
          what,
          `raise its retention now (${alterTopic(own.topic, 'retention.ms', '-1')}), then start the service that reads it`
        )
      ]
    })
    return [...removed, ...endangered]
  })
}

const isRemoved = ({ committedOffset, beginningOffset }: PartitionLag): boolean =>
  committedOffset !== undefined && committedOffset < beginningOffset
