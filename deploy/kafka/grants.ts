import { type KafkaAccess, topicNames } from '@orderly/contracts'
import { deadLetterTopic, type Grant, offsetsIDPrefix, operationIDPrefix } from '@orderly/kafka'
import { connectGroups } from '../connect/connector.ts'

type Topic = keyof typeof topicNames
type OfOne = Omit<Grant, 'principal'>

/** Returns the minimal grants for the declared uses of a service. */
export function grantsOf(principal: string, uses: KafkaAccess): Grant[] {
  const { topics, groups, transactionalIDPrefix, otherTopics = [], otherInputs = [] } = uses
  const reads = new Set<string>(otherInputs)
  const writes = new Set<string>(otherTopics)
  for (const [topic, use] of topics.flatMap(uses => Object.entries(uses))) {
    const name = topicNames[topic as Topic]
    if (use !== 'read') writes.add(name)
    else {
      reads.add(name)
      // Dead letters are written there, and a new owner of the partition reads them.
      reads.add(deadLetterTopic(name))
      writes.add(deadLetterTopic(name))
    }
  }
  const ofTopics = [...new Set([...reads, ...writes])].toSorted().map(
    (name): OfOne => ({
      resource: 'topic',
      name,
      pattern: 'literal',
      operations: [
        ...(reads.has(name) ? ['read' as const] : []),
        ...(writes.has(name) ? ['write' as const] : []),
        'describe'
      ]
    })
  )
  const grants: OfOne[] = [
    ...ofTopics,
    ...groups.map((name): OfOne => ({ resource: 'group', name, pattern: 'literal', operations: ['read', 'describe'] }))
  ]
  if (transactionalIDPrefix !== undefined) {
    grants.push({
      ...{ resource: 'transactionalID', name: transactionalIDPrefix, pattern: 'prefix' },
      operations: ['write', 'describe']
    })
  }
  return grants.map(grant => ({ principal, ...grant }))
}

const workerTopics = ['connect.config', 'connect.offset', 'connect.status']

/**
 * Returns the grants of Kafka Connect with the audit connector: it reads every event and keeps its
 * own state in Kafka.
 */
export function auditGrants(principal: string): Grant[] {
  const topic = (name: string, ...operations: Grant['operations'][number][]): Grant => ({
    ...{ principal, resource: 'topic', name, pattern: 'literal', operations }
  })
  const group = (name: string): Grant => ({
    ...{ principal, resource: 'group', name, pattern: 'literal', operations: ['read', 'describe'] }
  })
  return [
    ...Object.values(topicNames).map(name => topic(name, 'read', 'describe')),
    topic(deadLetterTopic('audit'), 'write', 'describe', 'create'),
    ...workerTopics.map(name => topic(name, 'read', 'write', 'describe', 'create', 'describeConfigs')),
    ...connectGroups.map(group)
  ]
}

/** Returns the grants of the principal that creates the topics, once, before the first start. */
export function provisionerGrants(principal: string, topics: readonly string[]): Grant[] {
  return topics.map(name => ({
    ...{ principal, resource: 'topic', name, pattern: 'literal', operations: ['create', 'describe'] }
  }))
}

const everyTopic = { resource: 'topic', name: '*', pattern: 'literal' } as const
const everyGroup = { resource: 'group', name: '*', pattern: 'literal' } as const

const describing = (principal: string): Grant[] => [
  {
    ...{ principal, resource: 'cluster', name: 'kafka-cluster', pattern: 'literal' },
    operations: ['describe', 'describeConfigs']
  },
  { principal, ...everyGroup, operations: ['describe'] },
  { principal, resource: 'transactionalID', name: '*', pattern: 'literal', operations: ['describe'] }
]

/** Returns the grants of the monitor: it describes everything, and neither reads nor changes anything. */
export function monitorGrants(principal: string): Grant[] {
  return [...describing(principal), { principal, ...everyTopic, operations: ['describe', 'describeConfigs'] }]
}

/**
 * Rights of the operator's command line: it describes and reads everything, changes settings of
 * topics, deletes groups without members, writes dead letters back to their topics with a record of
 * that, and sets the offsets of the services' groups with the
 * outputs that belong to them.
 */
export function operatorGrants(principal: string, topics: readonly string[], groups: readonly string[]): Grant[] {
  return [
    ...describing(principal),
    { principal, ...everyTopic, operations: ['read', 'describe', 'describeConfigs'] },
    { principal, ...everyGroup, operations: ['delete'] },
    ...groups.map((name): Grant => ({ principal, resource: 'group', name, pattern: 'literal', operations: ['read'] })),
    ...topics.map((name): Grant => {
      const canGrow = Object.values<string>(topicNames).includes(name)
      const operations = [...(canGrow ? (['alter'] as const) : []), 'write', 'describe', 'alterConfigs'] as const
      return { principal, resource: 'topic', name, pattern: 'literal', operations }
    }),
    ...[operationIDPrefix, offsetsIDPrefix].map(
      (name): Grant => ({
        ...{ principal, resource: 'transactionalID', name, pattern: 'prefix' },
        operations: ['write', 'describe']
      })
    )
  ]
}

/** Returns the grants of the autoscaler, which reads the lag of groups. */
export function scalerGrants(principal: string): Grant[] {
  return [
    { principal, ...everyTopic, operations: ['describe'] },
    { principal, ...everyGroup, operations: ['describe'] }
  ]
}
