/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Returns the text that identifies a partition in maps and messages. */
export const partitionKey = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/**
 * Identity of the consumer that read the input. The coordinator rejects offsets of an outdated
 * member or generation.
 */
export interface GroupIdentity {
  readonly groupID: string
  readonly memberID: string
  readonly instanceID: string | null
  readonly generation: number
}
