import {
  type API,
  type Connection,
  type ConnectionOptions,
  ConnectionPool,
  findCoordinatorV6,
  metadataV12
} from '@platformatic/kafka'
import type { KafkaConnection } from '../connection.ts'
import { checkCode, KafkaError, protocolError, toKafkaError } from '../errors.ts'
import { request } from './requests.ts'

/**
 * What we know of the cluster: which broker leads a partition, which one coordinates a group or a transactional id.
 * Knowledge is kept until somebody finds it wrong (`forget`), and then asked for again. The client's own cache
 * keeps a group's coordinator after it has moved and asks the old one for ever; here forgetting is explicit.
 *
 * Brokers answer the requests of one connection one after the other, so a long poll would hold up everything
 * behind it. Hence one `Cluster` (one connection to each broker) for each kind of conversation.
 *
 * Versions are fixed, not negotiated: all are spoken by Kafka 3.9 and later. Transactions alone have two protocols (transaction/second-protocol.ts).
 */
export interface PartitionLeader {
  readonly topicID: string
  readonly leaderID: number
  readonly leaderEpoch: number
}

interface Broker {
  readonly host: string
  readonly port: number
}

const topicAuthorizationFailed = 29
const coordinatorTypes = { group: 0, transaction: 1 } as const

export class Cluster {
  readonly #bootstrap: readonly Broker[]
  readonly #pool: ConnectionPool
  readonly #brokers = new Map<number, Broker>()
  readonly #topics = new Map<string, readonly PartitionLeader[]>()
  readonly #refusedTopics = new Set<string>()
  readonly #coordinators = new Map<string, number>()
  #refreshing: Promise<void> | undefined

  constructor(connection: KafkaConnection, options: { requestTimeoutMs: number }) {
    this.#bootstrap = connection.brokers.map(parseBroker)
    this.#pool = new ConnectionPool(connection.clientID, {
      connectTimeout: 3_000,
      requestTimeout: options.requestTimeoutMs,
      ...(connection.tls === undefined ? {} : { tls: connection.tls, tlsServerName: true }),
      ...(connection.sasl === undefined ? {} : { sasl: connection.sasl })
    } as ConnectionOptions)
  }

  get brokerCount(): number {
    return this.#brokers.size
  }

  /** As of the last answer about the cluster. */
  get brokerIDs(): readonly number[] {
    return [...this.#brokers.keys()]
  }

  /** @throws KafkaError `TOPIC_AUTHORIZATION_FAILED`, which no retry helps, or `UNKNOWN_TOPIC_OR_PARTITION`. */
  async partitions(topic: string): Promise<readonly PartitionLeader[]> {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    await this.refresh([topic])
    if (this.#refusedTopics.has(topic)) throw protocolError(topicAuthorizationFailed, `looking ${topic} up`)
    const found = this.#topics.get(topic)
    if (found === undefined)
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${topic} does not exist`, { retryable: true })
    return found
  }

  async connectionToLeader(topic: string, partition: number): Promise<Connection> {
    const leader = (await this.partitions(topic))[partition]
    if (leader === undefined || leader.leaderID < 0) {
      this.forget()
      throw new KafkaError('LEADER_NOT_AVAILABLE', `${topic}/${partition} has no leader at the moment`, {
        retryable: true
      })
    }
    return this.connectionTo(leader.leaderID)
  }

  async connectionTo(brokerID: number): Promise<Connection> {
    if (!this.#brokers.has(brokerID)) await this.refresh([])
    const broker = this.#brokers.get(brokerID)
    if (broker === undefined)
      throw new KafkaError('BROKER_UNAVAILABLE', `broker ${brokerID} is not in the cluster`, { retryable: true })
    try {
      return await this.#pool.get(broker)
    } catch (error) {
      this.#forgetBroker(brokerID)
      throw toKafkaError(error, `connecting to ${broker.host}:${broker.port}`)
    }
  }

  /** Any broker that answers. */
  async anyConnection(): Promise<Connection> {
    try {
      return await this.#pool.getFirstAvailable([...this.#brokers.values(), ...this.#bootstrap])
    } catch (error) {
      throw toKafkaError(error, 'connecting to the cluster')
    }
  }

  /** Sends to the broker that coordinates the group or transactional id; a refusal is the caller's to notice and to `forget` for. */
  async askCoordinator<Arguments extends unknown[], Response>(
    type: keyof typeof coordinatorTypes,
    key: string,
    api: API<Arguments, Response>,
    ...args: Arguments
  ): Promise<Response> {
    const brokerID = await this.#coordinator(type, key)
    try {
      return await request(await this.connectionTo(brokerID), api, ...args)
    } catch (error) {
      this.forget()
      throw error
    }
  }

  /** Something has moved: whatever is needed next is asked for again. */
  forget(): void {
    this.#topics.clear()
    this.#coordinators.clear()
  }

  async refresh(topics: readonly string[]): Promise<void> {
    // One at a time: many callers find the same topic missing at once.
    while (this.#refreshing !== undefined) await this.#refreshing.catch(() => {})
    if (topics.length > 0 && topics.every(topic => this.#topics.has(topic))) return
    this.#refreshing = this.#refresh(topics)
    try {
      await this.#refreshing
    } finally {
      this.#refreshing = undefined
    }
  }

  async #refresh(topics: readonly string[]): Promise<void> {
    const metadata = await request(await this.anyConnection(), metadataV12.api, [...topics], false, false)
    this.#brokers.clear()
    for (const { nodeId, host, port } of metadata.brokers) this.#brokers.set(nodeId, { host, port })
    for (const { name, topicId, errorCode, partitions } of metadata.topics) {
      if (name === null || name === undefined) continue
      if (errorCode === topicAuthorizationFailed) this.#refusedTopics.add(name)
      else this.#refusedTopics.delete(name)
      if (errorCode !== 0) continue
      const leaders: PartitionLeader[] = []
      for (const { partitionIndex, leaderId, leaderEpoch } of partitions) {
        leaders[partitionIndex] = { topicID: topicId, leaderID: leaderId, leaderEpoch }
      }
      this.#topics.set(name, leaders)
    }
  }

  async #coordinator(type: keyof typeof coordinatorTypes, key: string): Promise<number> {
    const cacheKey = `${type} ${key}`
    const known = this.#coordinators.get(cacheKey)
    if (known !== undefined) return known
    const response = await request(await this.anyConnection(), findCoordinatorV6.api, coordinatorTypes[type], [key])
    const found = response.coordinators[0]
    if (found === undefined)
      throw new KafkaError('COORDINATOR_NOT_AVAILABLE', `no coordinator for ${cacheKey}`, { retryable: true })
    checkCode(found.errorCode, `finding the coordinator of ${cacheKey}`)
    this.#brokers.set(found.nodeId, { host: found.host, port: found.port })
    this.#coordinators.set(cacheKey, found.nodeId)
    return found.nodeId
  }

  #forgetBroker(brokerID: number): void {
    this.#brokers.delete(brokerID)
    this.forget()
  }

  async close(): Promise<void> {
    for (const [, connection] of this.#pool) connection.socket?.destroy()
    await this.#pool.close()
  }
}

function parseBroker(address: string): Broker {
  const separator = address.lastIndexOf(':')
  const port = Number(address.slice(separator + 1))
  const host = address.slice(0, separator).replace(/^\[|\]$/g, '')
  if (separator < 1 || !Number.isInteger(port)) {
    throw new KafkaError('INVALID_ADDRESS', `broker address "${address}" is not of the form host:port`, {
      retryable: false
    })
  }
  return { host, port }
}
