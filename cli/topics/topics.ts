import { formatDuration } from '@orderly/command-line'
import { type Command, Failure, orderly } from '../command-line/command.ts'

export const showTopics: Command = {
  name: 'topics',
  summary: 'list topics with their partitions, offsets and retention',
  argument: '[TOPIC]',
  examples: ['topics', 'topics orders.created'],
  options: { all: { type: 'boolean', description: "include Kafka's internal topics" } },
  async run({ argument, options, output, connections }) {
    const inspector = connections.inspector()
    const found = await inspector.topics(argument === undefined ? undefined : [argument])
    if (argument !== undefined && found.length === 0)
      throw new Failure(`Topic ${argument} does not exist: ${orderly} topics shows all topics.`)
    const topics = found.filter(({ isInternal }) => !isInternal || options.flag('all') || argument !== undefined)
    const places = topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partition }) => ({ topic: name, partition }))
    )
    const [beginnings, stableEnds, ends, configs] = await Promise.all([
      inspector.offsets(places, 'beginning'),
      inspector.offsets(places, 'stable-end'),
      inspector.offsets(places, 'end'),
      inspector.topicConfigs(topics.map(({ name }) => name))
    ])
    const described = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(own => {
        const index = places.findIndex(({ topic, partition }) => topic === name && partition === own.partition)
        const offset = (offsets: readonly ({ offset: bigint } | undefined)[]) => offsets[index]?.offset
        return { ...own, beginning: offset(beginnings), stableEnd: offset(stableEnds), end: offset(ends) }
      }),
      configs: [...(configs.get(name)?.values() ?? [])]
    }))
    output.json(
      described.map(({ configs, ...own }) => ({
        ...own,
        configs: Object.fromEntries(configs.map(({ name, value, isOwn }) => [name, { value, isOwn }]))
      }))
    )
    const value = (topic: (typeof described)[number], name: string) =>
      topic.configs.find(config => config.name === name)?.value
    if (argument === undefined) {
      output.table(
        [
          { title: 'TOPIC', value: ({ name }) => name },
          { title: 'PARTITIONS', value: ({ partitions }) => partitions.length, isNumber: true },
          { title: 'REPLICAS', value: ({ partitions }) => partitions[0]?.replicaIDs.length, isNumber: true },
          { title: 'OFFSETS', value: ({ partitions }) => sum(partitions), isNumber: true },
          { title: 'CLEANUP', value: topic => value(topic, 'cleanup.policy') },
          { title: 'KEEPS', value: topic => keeps(value(topic, 'retention.ms')) },
          { title: 'STATE', value: ({ partitions }) => stateOf(partitions) }
        ],
        described
      )
      return 0
    }
    for (const topic of described) {
      output.table(
        [
          { title: 'PARTITION', value: ({ partition }) => partition, isNumber: true },
          { title: 'LEADER', value: ({ leaderID }) => leaderID, isNumber: true },
          { title: 'IN SYNC', value: ({ inSyncReplicaIDs }) => inSyncReplicaIDs.join(',') },
          { title: 'BEGINNING', value: ({ beginning }) => beginning, isNumber: true },
          { title: 'STABLE', value: ({ stableEnd }) => stableEnd, isNumber: true },
          { title: 'END', value: ({ end }) => end, isNumber: true }
        ],
        topic.partitions
      )
      output.line()
      const own = topic.configs.filter(
        ({ isOwn, name }) => isOwn || name === 'cleanup.policy' || name === 'retention.ms'
      )
      output.table(
        [
          { title: 'CONFIG', value: ({ name }) => name },
          { title: 'VALUE', value: ({ value }) => value },
          { title: 'SET', value: ({ isOwn }) => (isOwn ? 'for this topic' : 'by the broker') }
        ],
        own
      )
    }
    return 0
  }
}

/** Sums the known offsets; those of partitions without a leader are unknown. */
function sum(partitions: readonly { beginning: bigint | undefined; end: bigint | undefined }[]): bigint {
  return partitions.reduce((total, { beginning = 0n, end = beginning }) => total + end - beginning, 0n)
}

export function keeps(retentionMs: string | undefined): string | undefined {
  if (retentionMs === undefined) return undefined
  return retentionMs === '-1' ? 'for ever' : formatDuration(Number(retentionMs))
}

function stateOf(
  partitions: readonly { leaderID: number; replicaIDs: readonly number[]; inSyncReplicaIDs: readonly number[] }[]
): string {
  if (partitions.some(({ leaderID }) => leaderID < 0)) return 'without a leader'
  if (partitions.some(({ replicaIDs, inSyncReplicaIDs }) => inSyncReplicaIDs.length < replicaIDs.length)) {
    return 'replicas out of sync'
  }
  return 'ok'
}
