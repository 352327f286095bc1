/** Addresses of the cluster and credentials of this client; certificates and keys are PEM text. */
export interface KafkaConnection {
  /** Addresses as `host:port`, at least one. */
  readonly brokers: readonly string[]
  readonly clientID: string
  /**
   * Maximum age of cached facts about the cluster (partitions, leaders, coordinators) before they
   * are queried again.
   */
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
