import { BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { addedHeaders, refusalHeader, releaseHeader, stageHeader } from '../dead-letters/headers.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { partitionKey } from '../types.ts'
import { isCopy, parseDeadLetter } from './dead-letter.ts'
import { readMark } from './operation.ts'

/** Number of pending dead letters in a topic. */
export interface WaitingDeadLetters {
  /** Name of the dead-letter topic. */
  readonly topic: string
  readonly waiting: number
  /** Timestamp of the oldest pending record; undefined if none is pending. */
  readonly oldestAtMs: number | undefined
  readonly blockedKeys: number
}

/**
 * Counter of the pending dead letters of a topic. Its results equal those of the book (book.ts).
 * It keeps only numbers for each dead letter, because services count topics with hundreds of
 * thousands of them.
 */
export class DeadLetterCounts {
  readonly #topic: string
  /** Timestamps of the pending dead letters, by partition and offset. */
  readonly #waiting = new Map<number, Map<number, number>>()
  /** Offsets of the records that each stage has dead-lettered, by stage, topic and partition. */
  readonly #sources = new Map<string, Set<number>>()
  readonly #deadLettered = new Map<string, BlockedKeys>()

  constructor(topic: string) {
    this.#topic = topic
  }

  /** Applies a record. The records of each partition must be passed in offset order. */
  add(record: FetchedRecord): void {
    const mark = readMark(record)
    if (mark !== undefined) {
      for (const position of [...mark.replayed, ...mark.dropped]) {
        const [partition, offset] = position.split('/').map(Number)
        this.#waiting.get(partition ?? -1)?.delete(offset ?? -1)
      }
      return
    }
    const added = addedHeaders(record)
    const stage = added?.text(stageHeader)
    if (added !== undefined && stage !== undefined) {
      this.#blockedKeys(stage).remember(record)
      if (added.text(releaseHeader) === undefined && added.text(refusalHeader) === undefined) this.#wait(record)
    } else if (isCopy(record)) this.#wait(record)
  }

  /** Returns the counts. A key that several stages block counts once. */
  count(): WaitingDeadLetters {
    let waiting = 0
    let oldestAtMs: number | undefined
    for (const times of this.#waiting.values()) {
      waiting += times.size
      for (const atMs of times.values()) oldestAtMs = Math.min(oldestAtMs ?? atMs, atMs)
    }
    const blocked = new Set([...this.#deadLettered.values()].flatMap(deadLettered => [...deadLettered.keys()]))
    return { topic: this.#topic, waiting, oldestAtMs, blockedKeys: blocked.size }
  }

  #wait(record: FetchedRecord): void {
    const { stage, source, timestampMs, partition, offset } = parseDeadLetter(record)
    if (source.topic !== '') {
      // An at-least-once stage may write a second dead letter for the same record after a crash.
      const sourceKey = `${stage} ${partitionKey(source)}`
      const deadLettered = this.#sources.get(sourceKey) ?? new Set()
      this.#sources.set(sourceKey, deadLettered)
      const sourceOffset = Number(source.offset)
      if (deadLettered.has(sourceOffset)) return
      deadLettered.add(sourceOffset)
    }
    const times = this.#waiting.get(partition) ?? new Map<number, number>()
    this.#waiting.set(partition, times.set(Number(offset), timestampMs))
  }

  #blockedKeys(stage: string): BlockedKeys {
    const deadLettered = this.#deadLettered.get(stage) ?? new BlockedKeys(stage)
    this.#deadLettered.set(stage, deadLettered)
    return deadLettered
  }
}
