import {
  type API,
  type Connection,
  type ConnectionOptions,
  ConnectionPool,
  findCoordinatorV6,
  metadataV12
} from '@platformatic/kafka'
import { assertValidConnection, type KafkaConnection } from '../connection.ts'
import { checkCode, KafkaError, protocolError, protocolErrorName, toKafkaError } from '../errors.ts'
import { request } from './requests.ts'
import { TokenSessions, tokenConnectTimeoutMs } from './token-sessions.ts'

/** Leader of a partition. */
export interface PartitionLeader {
  readonly topicID: string
  /** Broker id of the leader; -1 while there is none. */
  readonly leaderID: number
  readonly leaderEpoch: number
}

interface Broker {
  readonly host: string
  readonly port: number
}

/** Expiry times of a fact, on the clock of `performance`. */
interface Age {
  readonly freshUntilMs: number
  readonly usableUntilMs: number
}

interface KnownTopic extends Age {
  readonly topicID: string
  readonly leaders: readonly PartitionLeader[]
  readonly asOfMs: number
  /** Partitions whose leader may have changed. */
  readonly doubted: Set<number>
}

const defaultMaxAgeMs = 10_000
const connectTimeoutMs = 3_000
/** Delay of the next refresh after an answer that was older than the cached facts. */
const staleAnswerPauseMs = 500
const _topicAuthorizationFailed = 29
const coordinatorTypes = { group: 0, transaction: 1 } as const

/**
 * Connections to the brokers, and a cache of facts about the cluster: the partitions of topics,
 * their leaders, and the coordinators of groups and transactional ids.
 *
 * Every fact expires. One older than `metadataMaxAgeMs` (with jitter) is refreshed in the
 * background and used meanwhile; one twice as old is not used any more. A fact contradicted by a
 * response is **doubted**: only the next caller that needs it waits for a new answer. A partition
 * without a leader, or an unresponsive broker, therefore delays only those who need it. One
 * Metadata request covers all known topics; at most one is in flight.
 *
 * A broker may answer from outdated metadata. Within one topic id, partitions are never removed and
 * leader epochs never decrease, so answers to the contrary are ignored.
 *
 * Brokers answer the requests of one connection one after another, so a long poll would block
 * everything behind it. Each kind of request therefore has its own `Cluster`, with one connection
 * to each broker.
 *
 * API versions are fixed, not negotiated: Kafka 3.9 and later support all of them. Only
 * transactions have two protocols (transaction/transaction-v2.ts).
 */
export class Cluster {
  readonly #bootstrap: readonly Broker[]
  readonly #pool: ConnectionPool
  /** Set for a login with bearer tokens. */
  readonly #sessions: TokenSessions | undefined
  readonly #maxAgeMs: number
  readonly #brokers = new Map<number, Broker>()
  readonly #topics = new Map<string, KnownTopic>()
  /** Topics whose lookup failed, with the error code of the last answer. */
  readonly #refused = new Map<string, number>()
  readonly #coordinators = new Map<string, Age & { readonly brokerID: number }>()
  readonly #wanted = new Set<string>()
  #asking: Promise<void> | undefined
  #askingNext: Promise<void> | undefined
  /**
   * Index of the broker that is queried first when any broker can answer; advanced after a failure.
   */
  #turn = 0

  /** @throws KafkaError `INVALID_OPTION`, `INVALID_ADDRESS` */
  constructor(connection: KafkaConnection, options: { requestTimeoutMs: number }) {
    assertValidConnection(connection)
    const { sasl } = connection
    if (sasl?.mechanism === 'OAUTHBEARER') this.#sessions = new TokenSessions(sasl, options.requestTimeoutMs)
    this.#bootstrap = connection.brokers.map(parseBroker)
    this.#maxAgeMs = connection.metadataMaxAgeMs ?? defaultMaxAgeMs
    this.#pool = new ConnectionPool(connection.clientID, {
      connectTimeout: this.#sessions ? tokenConnectTimeoutMs : connectTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      ...(connection.tls === undefined ? {} : { tls: connection.tls, tlsServerName: true }),
      ...(this.#sessions && { sasl: { mechanism: 'OAUTHBEARER', authenticate: this.#sessions.authenticate } }),
      ...(!this.#sessions && sasl && { sasl })
    } as ConnectionOptions)
  }

  get brokerCount(): number {
    return this.#brokers.size
  }

  /** Ids of the brokers, as of the last metadata response. */
  get brokerIDs(): readonly number[] {
    return [...this.#brokers.keys()]
  }

  /**
   * Returns the partitions of a topic. @throws KafkaError `TOPIC_AUTHORIZATION_FAILED` (permanent)
   * or `UNKNOWN_TOPIC_OR_PARTITION`
   */
  async partitions(topic: string): Promise<readonly PartitionLeader[]> {
    return (await this.#topic(topic)).leaders
  }

  /** Returns the partitions if they are cached and still usable. */
  knownPartitions(topic: string): readonly PartitionLeader[] | undefined {
    return this.#knownTopic(topic)?.leaders
  }

  /**
   * Returns the leader of a partition. @throws KafkaError `LEADER_NOT_AVAILABLE`, or an error of
   * `partitions`
   */
  async leader(topic: string, partition: number): Promise<PartitionLeader> {
    const known = this.knownLeader(topic, partition)
    if (known !== undefined) return known
    const doubtful = this.#topics.get(topic)
    if (doubtful !== undefined) await this.#learn(topic)
    const found = (await this.partitions(topic))[partition]
    if (found === undefined)
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `${topic}/${partition} does not exist`, { retryable: true })
    if (found.leaderID < 0)
      throw new KafkaError('LEADER_NOT_AVAILABLE', `${topic}/${partition} has no leader`, { retryable: true })
    return found
  }

  /** Returns the leader if it is cached and still usable. */
  knownLeader(topic: string, partition: number): PartitionLeader | undefined {
    const known = this.#knownTopic(topic)
    const leader = known?.leaders[partition]
    return leader === undefined || leader.leaderID < 0 || known?.doubted.has(partition) ? undefined : leader
  }

  /**
   * Returns a time (of this machine's clock); all earlier changes are included in the result of
   * `partitions`.
   */
  asOfMs(topic: string): number | undefined {
    return this.#topics.get(topic)?.asOfMs
  }

  async connectionToLeader(topic: string, partition: number): Promise<Connection> {
    return this.connectionTo((await this.leader(topic, partition)).leaderID)
  }

  async connectionTo(brokerID: number): Promise<Connection> {
    if (!this.#brokers.has(brokerID)) await this.#learn()
    const broker = this.#brokers.get(brokerID)
    if (broker === undefined)
      throw new KafkaError('BROKER_UNAVAILABLE', `broker ${brokerID} is not in the cluster`, { retryable: true })
    try {
      return await this.#pool.get(broker)
    } catch (error) {
      this.#doubtBroker(brokerID)
      throw toKafkaError(error, `connecting to ${broker.host}:${broker.port}`)
    }
  }

  /** Connects to any broker that is available. */
  async anyConnection(): Promise<Connection> {
    const known = [...this.#brokers.values()]
    const first = this.#turn % Math.max(1, known.length)
    try {
      return await this.#pool.getFirstAvailable([...known.slice(first), ...known.slice(0, first), ...this.#bootstrap])
    } catch (error) {
      throw toKafkaError(error, 'connecting to the cluster')
    }
  }

  /**
   * Sends a request that any broker can answer. After a failure the next request goes to another
   * broker.
   */
  async askAny<Arguments extends unknown[], Response>(
    api: API<Arguments, Response>,
    ...args: Arguments
  ): Promise<Response> {
    try {
      return await request(await this.anyConnection(), api, ...args)
    } catch (error) {
      this.#turn++
      throw error
    }
  }

  /**
   * Sends a request to the coordinator of the group or transactional id. Callers must check the
   * response for errors and call `forget` if the coordinator has moved.
   */
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
      this.#coordinators.delete(`${type} ${key}`)
      throw error
    }
  }

  /**
   * Marks the leader of a partition as doubted: the next call that needs it waits for a new answer.
   */
  doubt(topic: string, partition: number): void {
    this.#topics.get(topic)?.doubted.add(partition)
  }

  /**
   * Marks all facts as doubted, including coordinators, so that they are queried again when needed.
   */
  forget(): void {
    for (const [topic, known] of this.#topics) this.#topics.set(topic, { ...known, usableUntilMs: 0 })
    this.#coordinators.clear()
  }

  /** Refreshes the metadata: brokers and all known topics. */
  async refresh(): Promise<void> {
    await this.#learn()
  }

  async #topic(topic: string): Promise<KnownTopic> {
    const known = this.#knownTopic(topic)
    if (known !== undefined) return known
    await this.#learn(topic)
    const found = this.#topics.get(topic)
    if (found !== undefined) return found
    const code = this.#refused.get(topic)
    if (code === undefined || protocolErrorName(code) === 'UNKNOWN_TOPIC_OR_PARTITION')
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${topic} does not exist`, { retryable: true })
    throw protocolError(code, `looking up ${topic}`)
  }

  #knownTopic(topic: string): KnownTopic | undefined {
    const known = this.#topics.get(topic)
    if (known === undefined) return undefined
    const nowMs = performance.now()
    if (nowMs >= known.usableUntilMs) return undefined
    if (nowMs >= known.freshUntilMs && this.#asking === undefined) this.#learn().catch(() => {})
    return known
  }

  /**
   * Resolves when all known topics, and this one, have been refreshed by a request sent after the
   * call.
   */
  #learn(topic?: string): Promise<void> {
    if (topic !== undefined) this.#wanted.add(topic)
    this.#askingNext ??= this.#askWhenIdle()
    return this.#askingNext
  }

  async #askWhenIdle(): Promise<void> {
    await this.#asking?.catch(() => {})
    this.#asking = this.#askingNext
    this.#askingNext = undefined
    try {
      await this.#ask()
    } finally {
      this.#asking = undefined
    }
  }

  async #ask(): Promise<void> {
    const topics = new Set([...this.#topics.keys(), ...this.#wanted])
    this.#wanted.clear()
    const asOfMs = Date.now()
    const metadata = await this.askAny(metadataV12.api, [...topics], false, false)
    this.#brokers.clear()
    for (const { nodeId, host, port } of metadata.brokers) this.#brokers.set(nodeId, { host, port })
    for (const { name, topicId, errorCode, partitions } of metadata.topics) {
      if (name === null || name === undefined) continue
      if (errorCode !== 0) {
        this.#topics.delete(name)
        this.#refused.set(name, errorCode)
        continue
      }
      this.#refused.delete(name)
      const leaders: PartitionLeader[] = []
      for (const { partitionIndex, leaderId, leaderEpoch } of partitions) {
        leaders[partitionIndex] = { topicID: topicId, leaderID: leaderId, leaderEpoch }
      }
      this.#topics.set(name, this.#merge(this.#topics.get(name), { topicID: topicId, leaders, asOfMs }))
    }
  }

  #merge(known: KnownTopic | undefined, answer: Pick<KnownTopic, 'topicID' | 'leaders' | 'asOfMs'>): KnownTopic {
    const fresh = { ...answer, ...this.#age(), doubted: new Set<number>() }
    if (known === undefined || known.topicID !== answer.topicID) return fresh
    if (answer.leaders.length < known.leaders.length) {
      return { ...known, ...this.#age(), freshUntilMs: performance.now() + staleAnswerPauseMs }
    }
    const isOlder = (leader: PartitionLeader, partition: number) =>
      leader.leaderEpoch < (known.leaders[partition]?.leaderEpoch ?? -1)
    if (!answer.leaders.some(isOlder)) return fresh
    const leaders = answer.leaders.map((leader, partition) =>
      isOlder(leader, partition) ? (known.leaders[partition] as PartitionLeader) : leader
    )
    return { ...fresh, leaders, asOfMs: known.asOfMs }
  }

  #age(): Age {
    const nowMs = performance.now()
    const ageMs = this.#maxAgeMs * (0.8 + Math.random() * 0.4)
    return { freshUntilMs: nowMs + ageMs, usableUntilMs: nowMs + 2 * ageMs }
  }

  async #coordinator(type: keyof typeof coordinatorTypes, key: string): Promise<number> {
    const cacheKey = `${type} ${key}`
    const known = this.#coordinators.get(cacheKey)
    const nowMs = performance.now()
    if (known === undefined || nowMs >= known.usableUntilMs) return this.#findCoordinator(type, key)
    if (nowMs >= known.freshUntilMs) {
      this.#coordinators.set(cacheKey, { ...known, freshUntilMs: known.usableUntilMs })
      this.#findCoordinator(type, key).catch(() => {})
    }
    return known.brokerID
  }

  async #findCoordinator(type: keyof typeof coordinatorTypes, key: string): Promise<number> {
    const cacheKey = `${type} ${key}`
    const response = await this.askAny(findCoordinatorV6.api, coordinatorTypes[type], [key])
    const found = response.coordinators[0]
    if (found === undefined)
      throw new KafkaError('COORDINATOR_NOT_AVAILABLE', `no coordinator for ${cacheKey}`, { retryable: true })
    checkCode(found.errorCode, `finding the coordinator of ${cacheKey}`)
    this.#brokers.set(found.nodeId, { host: found.host, port: found.port })
    this.#coordinators.set(cacheKey, { brokerID: found.nodeId, ...this.#age() })
    return found.nodeId
  }

  #doubtBroker(brokerID: number): void {
    this.#brokers.delete(brokerID)
    for (const { leaders, doubted } of this.#topics.values()) {
      for (const [partition, { leaderID }] of leaders.entries()) if (leaderID === brokerID) doubted.add(partition)
    }
    for (const [key, coordinator] of this.#coordinators) {
      if (coordinator.brokerID === brokerID) this.#coordinators.delete(key)
    }
  }

  async close(): Promise<void> {
    for (const [, connection] of this.#pool) connection.socket?.destroy()
    this.#sessions?.close()
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
