import {
  KafkaError,
  type OutputRecord,
  type Producer,
  type ReservedWriter,
  ReservedWriterError,
  type SequenceReservation
} from '@orderly/kafka'

interface EncodedBatch {
  readonly producerID: bigint
  readonly first: number
  readonly records: readonly OutputRecord[]
}

/**
 * The log of a broker, as far as producer ids concern it: it knows the last five batches of a
 * producer id in one partition, acknowledges a batch with the same first and last sequence number
 * without writing it, and otherwise requires the next sequence number.
 */
export interface SequenceLog {
  nextProducerID(): bigint
  encode(batch: EncodedBatch): Buffer
  /** @throws KafkaError `OUT_OF_ORDER_SEQUENCE_NUMBER` */
  append(batch: Buffer): Promise<void>
}

const remembered = 5

export function createSequenceLog(producer: Pick<Producer, 'send'>): SequenceLog {
  const encoded = new Map<string, EncodedBatch>()
  const written = new Map<bigint, { readonly first: number; readonly last: number }[]>()
  let producerIDs = 0
  return {
    nextProducerID: () => BigInt(producerIDs++),
    encode(batch) {
      const name = String(encoded.size)
      encoded.set(name, batch)
      return Buffer.from(name)
    },
    async append(bytes) {
      const batch = encoded.get(String(bytes))
      if (batch === undefined) throw new Error('the bytes were not encoded by this log')
      const { producerID, first, records } = batch
      const last = first + records.length - 1
      const before = written.get(producerID) ?? []
      if (before.slice(-remembered).some(known => known.first === first && known.last === last)) return
      const previous = before.at(-1)
      if (previous !== undefined && first !== previous.last + 1)
        throw new KafkaError('OUT_OF_ORDER_SEQUENCE_NUMBER', `expected ${previous.last + 1}`, { retryable: false })
      written.set(producerID, [...before, { first, last }])
      await producer.send(records)
    }
  }
}

/** Creates a reserved writer of one instance on a log in memory with one partition, for tests. */
export function createMemoryReservedWriter(log: SequenceLog) {
  const failures: { error: Error; isWritten: boolean }[] = []
  const idle: SequenceReservation[] = []
  let held: Promise<void> | undefined

  async function append(bytes: Buffer): Promise<void> {
    await held
    const failure = failures.shift()
    try {
      if (failure === undefined || failure.isWritten) await log.append(bytes)
    } catch (error) {
      throw error instanceof KafkaError ? new ReservedWriterError(error, true) : error
    }
    if (failure !== undefined) throw failure.error
  }

  const encode: ReservedWriter['encode'] = ({ producerID, sequence }, records) =>
    log.encode({ producerID, first: sequence, records })
  const reserveIn = async (topic: string, partition: number) =>
    idle.pop() ?? { topic, partition, producerID: log.nextProducerID(), epoch: 0, sequence: 0 }
  const writer: ReservedWriter = {
    reserve: topic => reserveIn(topic, 0),
    reserveIn,
    partitionOf: async () => 0,
    write: (reservation, record) => append(encode(reservation, [record])),
    maxBatchBytes: () => 900_000,
    encode,
    writeEncoded: (_target, batch) => append(batch),
    release(reservation, end, records = 1) {
      const { sequence } = reservation
      if (end !== 'uncertain') idle.push({ ...reservation, sequence: sequence + (end === 'written' ? records : 0) })
    },
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
      return () => {
        held = undefined
        resolve()
      }
    }
  }
}
