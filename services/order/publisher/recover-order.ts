import type { OutputRecord, ReservationEnd, ReservedWriter } from '@orderly/kafka'
import { newID } from '@orderly/service-kit'
import type { KeyedOrder, KeyStore, KnownKey } from '../store/key-state.ts'
import type { OrderStore } from '../store/order-store.ts'

export interface RecoveryOptions {
  readonly writer: ReservedWriter
  readonly topic: string
  readonly keys: KeyStore
  /** Orders that the projection has read from the topic. */
  readonly orders: Pick<OrderStore, 'find'>
  readonly leaseMs: number
}

/** Returns the record of an order as its first attempt accepted it. */
export type RecordOf = (order: KeyedOrder) => OutputRecord

/**
 * Completes an order in flight whose lease has ended, or does nothing if another attempt has
 * completed it or taken it over. The caller then reads the state of the key again.
 * @throws KafkaError or StoreUnavailableError if the order is not completed
 */
export type Recover = (known: KnownKey, recordOf: RecordOf) => Promise<void>

/**
 * Creates the function that completes orders whose attempt has crashed, timed out or been frozen.
 *
 * It first looks for the order, because finding it proves that its whole batch is stored. Otherwise
 * it writes the stored bytes. An earlier attempt may have written them, or its request may still be
 * in flight. In both cases the broker recognizes the batch and only acknowledges it.
 *
 * The broker answers `OUT_OF_ORDER_SEQUENCE_NUMBER` if it does not recognize a batch that precedes
 * others of its producer id. Then the batch was stored, because its producer id wrote another one
 * only after that. So the recovery never writes the order elsewhere; the caller looks again.
 */
export function createRecovery({ writer, topic, keys, orders, leaseMs }: RecoveryOptions): Recover {
  /** Recoveries in flight by batch; orders of one batch share them. */
  const recovering = new Map<string, Promise<void>>()

  const isInTopic = async ({ orderID }: KnownKey) => (await orders.find([orderID])).has(orderID)

  async function recoverBatch(batchID: string, known: KnownKey, recordOf: RecordOf): Promise<void> {
    const batch = await keys.takeBatch(batchID, known, leaseMs)
    if (batch === undefined) return
    try {
      if (!(await isInTopic(known))) {
        if (batch.mayBeForgotten) {
          await writeElsewhere(known, recordOf)
          await keys.releaseBatch(batchID, batch.attempt)
          return
        }
        await writer.writeEncoded({ topic, partition: batch.partition }, batch.bytes)
      }
    } catch (error) {
      await keys.releaseBatch(batchID, batch.attempt)
      if ((error as { code?: unknown }).code === 'OUT_OF_ORDER_SEQUENCE_NUMBER') return
      throw error
    }
    await keys.markStored(batchID)
  }

  /** Completes an order that version 0.1.0 has claimed. Its record is rebuilt from the request. */
  async function recoverSingle(known: KnownKey, recordOf: RecordOf): Promise<void> {
    const single = await keys.takeSingle(known, leaseMs)
    if (single === undefined) return
    const { attempt, reservation, mayBeForgotten, needsLookup } = single
    try {
      const isStored = (mayBeForgotten || needsLookup) && (await isInTopic(known))
      if (!isStored && mayBeForgotten) {
        await writeElsewhere(known, recordOf)
        return
      }
      if (!isStored) await writer.write({ topic, ...reservation }, recordOf(known))
    } catch (error) {
      await keys.releaseSingle(known, attempt)
      throw error
    }
    await keys.markSingleStored(known)
  }

  /**
   * Writes an order with a new reservation, because brokers may have forgotten the old one and the
   * projection has not read the order.
   */
  async function writeElsewhere(known: KnownKey, recordOf: RecordOf): Promise<void> {
    const record = recordOf(known)
    const reservation = await writer.reserve(topic, record.key as string)
    let end: ReservationEnd = 'uncertain'
    try {
      const batch = { id: newID(), partition: reservation.partition, bytes: writer.encode(reservation, [record]) }
      if (!(await keys.move(known, batch, leaseMs))) {
        end = 'unused'
        return
      }
      await writer.writeEncoded(reservation, batch.bytes)
      await keys.markStored(batch.id)
      end = 'written'
    } finally {
      writer.release(reservation, end)
    }
  }

  return async (known, recordOf) => {
    const { state } = known
    if (state.kind === 'single') await recoverSingle(known, recordOf)
    if (state.kind !== 'in-batch') return
    const { batchID } = state
    const started = recovering.get(batchID)
    if (started !== undefined) return started
    const work = recoverBatch(batchID, known, recordOf).finally(() => recovering.delete(batchID))
    recovering.set(batchID, work)
    return work
  }
}
