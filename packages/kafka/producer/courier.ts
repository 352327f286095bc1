import type { Connection } from '@platformatic/kafka'
import { type PartitionBatch, partitionKey, produce } from './produce.ts'

interface Waiting {
  /** Of the partition that the batch is for. */
  readonly key: string
  readonly pack: () => PartitionBatch | undefined
  readonly resolve: (code: number) => void
  readonly reject: (error: unknown) => void
}

/** Of at most `maxBatchBytes` each; a broker takes 100 MiB at once by default (`socket.request.max.bytes`). */
const maxBatchesInRequest = 64
const duplicateSequenceNumber = 46

/**
 * Carries batches to one broker: one request at a time, with a batch of every partition that has one, of whatever identity. A request
 * costs a broker as much as dozens of records, and it answers those of one connection one after the other: a second one
 * would wait there, and with less in it than if it had waited here.
 */
export class Courier {
  readonly #connection: Connection
  readonly #timeoutMs: number
  #waiting: Waiting[] = []
  #isOnItsWay = false

  constructor(connection: Connection, timeoutMs: number) {
    this.#connection = connection
    this.#timeoutMs = timeoutMs
  }

  /**
   * @param pack asked when the request leaves, so that the batch holds whatever has come by then; it may say that there is none any more
   * @returns the broker's error code for the batch; 0 when it was written, also when that was by an earlier try of which only the answer was
   * lost. @throws KafkaError when there was no answer
   */
  deliver(topic: string, partition: number, pack: () => PartitionBatch | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key: partitionKey(topic, partition), pack, resolve, reject })
      if (!this.#isOnItsWay) this.#leaveSoon()
    })
  }

  /** After this turn of the event loop, so that what arrived together travels together. */
  #leaveSoon(): void {
    this.#isOnItsWay = true
    setImmediate(() => void this.#carry())
  }

  async #carry(): Promise<void> {
    const taken = this.#take()
    try {
      const batches = [...taken.values()].flatMap(({ pack }) => pack() ?? [])
      const codes =
        batches.length === 0
          ? new Map<string, number>()
          : await produce(this.#connection, batches, { timeoutMs: this.#timeoutMs })
      for (const [key, { resolve }] of taken) {
        const code = codes.get(key) ?? 0
        resolve(code === duplicateSequenceNumber ? 0 : code)
      }
    } catch (error) {
      for (const { reject } of taken.values()) reject(error)
    }
    this.#isOnItsWay = false
    if (this.#waiting.length > 0) this.#leaveSoon()
  }

  /** The first one of each partition: a request may hold no more. */
  #take(): Map<string, Waiting> {
    const taken = new Map<string, Waiting>()
    this.#waiting = this.#waiting.filter(waiting => {
      if (taken.size === maxBatchesInRequest || taken.has(waiting.key)) return true
      taken.set(waiting.key, waiting)
      return false
    })
    return taken
  }
}

/** One for each connection, for as long as there is one. */
export class Couriers {
  readonly #timeoutMs: number
  readonly #couriers = new WeakMap<Connection, Courier>()

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  of(connection: Connection): Courier {
    let courier = this.#couriers.get(connection)
    if (courier === undefined) {
      courier = new Courier(connection, this.#timeoutMs)
      this.#couriers.set(connection, courier)
    }
    return courier
  }
}
