import { checkOneOf, checkPositiveIntegers, checkSignal } from '../options.ts'
import { type Compression, compressions } from './compression.ts'

/** Options of `createProducer`. */
export interface ProducerOptions {
  /** Maximum time from `send` to the result; default 10 s. */
  readonly deliveryTimeoutMs?: number
  /**
   * Maximum number of records pending or in flight; above it `send` rejects immediately. Default
   * 50,000.
   */
  readonly maxBufferedRecords?: number
  /**
   * Maximum bytes of the records pending or in flight; default 64 MiB. A single call may exceed it.
   */
  readonly maxBufferedBytes?: number
  /**
   * Compression of record batches; default `none`. Batches of at most 900 kB are compressed in the
   * thread pool, so the event loop continues meanwhile. Records for dead-letter topics are always
   * compressed.
   */
  readonly compression?: Compression
  /**
   * Ends the producer: pending calls of `send` reject with the reason of the signal, and so do later
   * ones. It is unknown whether records of pending calls were written. `close` waits for them
   * instead.
   */
  readonly signal?: AbortSignal
}

/** Options of one call of `send`. */
export interface SendOptions {
  /**
   * Makes the call reject with the reason of the signal. Records that are not sent yet are dropped;
   * it is unknown whether the others are written.
   */
  readonly signal?: AbortSignal
}

/** Checks the options. @throws KafkaError `INVALID_OPTION`, which names the option */
export function assertValidProducerOptions(options: ProducerOptions): void {
  const { deliveryTimeoutMs, maxBufferedRecords, maxBufferedBytes, compression, signal } = options
  checkPositiveIntegers({ deliveryTimeoutMs, maxBufferedRecords, maxBufferedBytes })
  checkOneOf('compression', compression, compressions)
  checkSignal('signal', signal)
}
