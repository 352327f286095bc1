import type { OutputRecord, Producer, ReservedWriter, SequenceReservation } from '@orderly/kafka'

/**
 * Creates an in-memory writer that writes one record per sequence reservation, like the real one.
 * It refuses a record with another key than the reservation, because its partition would be wrong.
 * `failNext` makes a write fail before or after the record is stored.
 */
export function createMemoryReservedWriter(producer: Producer) {
  const written = new Set<string>()
  const failures: { error: Error; isWritten: boolean }[] = []
  const keys = new Map<string, string>()
  let reservations = 0
  let held: Promise<void> | undefined
  const nameOf = ({ producerID, partition, sequence }: SequenceReservation) => `${producerID}/${partition}/${sequence}`

  async function append(reservation: SequenceReservation, record: OutputRecord): Promise<void> {
    if (written.has(nameOf(reservation))) return
    written.add(nameOf(reservation))
    await producer.send([record])
  }

  const writer: ReservedWriter = {
    async reserve(topic, key) {
      const reservation = { topic, partition: 0, producerID: BigInt(reservations++), epoch: 0, sequence: 0 }
      keys.set(nameOf(reservation), key)
      return reservation
    },
    async write(reservation, record) {
      await held
      if (keys.get(nameOf(reservation)) !== record.key)
        throw new Error(`the reservation is not for the key ${record.key}`)
      const failure = failures.shift()
      if (failure === undefined || failure.isWritten) await append(reservation, record)
      if (failure !== undefined) throw failure.error
    },
    release() {},
    forgetFacts() {},
    async close() {}
  }
  return {
    writer,
    failNext: (error: Error, isWritten: boolean) => void failures.push({ error, isWritten }),
    /** Suspends writes. @returns a function that resumes them */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return resolve
    }
  }
}
