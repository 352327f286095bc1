/** Where the cluster is and how to prove who we are; certificates and keys as PEM text. */
export interface KafkaConnection {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[]
  readonly clientID: string
  /** How long facts about the cluster (partitions, leaders, coordinators) are used before they are asked for again. */
  readonly metadataMaxAgeMs?: number
  readonly tls?: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly rejectUnauthorized?: boolean
  }
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
    readonly username: string
    readonly password: string
  }
}
