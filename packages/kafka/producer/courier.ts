import type { Connection } from '@platformatic/kafka'
import { type PartitionBatch, type ProducerIdentity, partitionKey, produce } from './produce.ts'

interface Waiting {
  /** Asked when the request leaves, so that the batch holds whatever has come by then; none when nobody waits for it any more. */
  readonly pack: () => PartitionBatch | undefined
  readonly resolve: (code: number) => void
  readonly reject: (error: unknown) => void
}

/** Of at most `maxBatchBytes` each; a broker takes 100 MiB at once by default (`socket.request.max.bytes`). */
const maxBatchesInRequest = 64

/**
 * Carries the batches of one identity to one broker: one request at a time, with a batch of every partition that has one. A request
 * costs a broker as much as dozens of records, and it answers those of one connection one after the other: a second one
 * would wait there, and with less in it than if it had waited here.
 */
export class Courier {
  readonly #connection: Connection
  readonly #identity: ProducerIdentity
  readonly #timeoutMs: number
  readonly #waiting: Waiting[] = []
  #isOnItsWay = false

  constructor(connection: Connection, identity: ProducerIdentity, timeoutMs: number) {
    this.#connection = connection
    this.#identity = identity
    this.#timeoutMs = timeoutMs
  }

  /** @returns the broker's error code for the batch, 0 when it was written. @throws KafkaError when there was no answer */
  deliver(pack: () => PartitionBatch | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ pack, resolve, reject })
      if (!this.#isOnItsWay) this.#leaveSoon()
    })
  }

  /** After this turn of the event loop, so that what arrived together travels together. */
  #leaveSoon(): void {
    this.#isOnItsWay = true
    setImmediate(() => void this.#carry())
  }

  async #carry(): Promise<void> {
    const taken = this.#waiting.splice(0, maxBatchesInRequest)
    const batches = taken.map(({ pack }) => pack())
    const written = batches.filter(batch => batch !== undefined)
    try {
      const codes =
        written.length === 0
          ? new Map<string, number>()
          : await produce(this.#connection, this.#identity, written, { timeoutMs: this.#timeoutMs })
      taken.forEach(({ resolve }, index) => {
        const batch = batches[index]
        resolve(batch === undefined ? 0 : (codes.get(partitionKey(batch.topic, batch.partition)) ?? 0))
      })
    } catch (error) {
      for (const { reject } of taken) reject(error)
    }
    this.#isOnItsWay = false
    if (this.#waiting.length > 0) this.#leaveSoon()
  }
}
