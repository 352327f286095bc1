import type { FetchedRecord } from '../committed-read/fetched-record.ts'
import type { HeaderField } from '../records.ts'

/**
 * The headers that stages and operators add to the records of others: to dead letters, and to records that are replayed.
 *
 * A record keeps its own headers byte for byte: their order, names that repeat, content that is null. What is added follows
 * them as one block, and the last header of the block, `dlq-headers`, holds the number of the record's own headers and that of
 * all. So a header of a record is never taken for one of these because of its name.
 */
export const stageHeader = 'dlq-stage'
export const reasonHeader = 'dlq-reason'
export const codeHeader = 'dlq-code'
/** Position of the record when it was parked. */
export const topicHeader = 'dlq-topic'
export const partitionHeader = 'dlq-partition'
export const offsetHeader = 'dlq-offset'
/** Position of the record before it was ever replayed, as `partition/offset`. */
export const originHeader = 'dlq-origin'
/** Name of the replay that a record is part of. */
export const replayHeader = 'dlq-replay'
/** Name of the replay that a release ends, and how many parked records that replay knew of. */
export const releaseHeader = 'dlq-release'
export const parkedCountHeader = 'dlq-parked'
export const refusalHeader = 'dlq-release-refused'
/** Name of an operation, on the mark that it leaves. */
export const operationHeader = 'dlq-operation'
/** The whole key of a record whose key is too long to be that of a dead letter. */
export const keyHeader = 'dlq-key'
/** On a reduced dead letter: why it is reduced (a code), and what it lacks. */
export const reducedHeader = 'dlq-reduced'
export const valueBytesHeader = 'dlq-value-bytes'
export const valueHashHeader = 'dlq-value-sha256'
export const keyBytesHeader = 'dlq-key-bytes'
export const keyHashHeader = 'dlq-key-sha256'
export const droppedHeadersHeader = 'dlq-headers-dropped'
/** On the dead letter of a batch that cannot be read: its first and last offset, how many records it has, and the batch's size and checksum. */
export const batchHeader = 'dlq-batch'
export const recordsHeader = 'dlq-records'
export const batchBytesHeader = 'dlq-batch-bytes'
export const batchHashHeader = 'dlq-batch-sha256'
/** Time of the record, in milliseconds since the epoch. */
export const timestampHeader = 'dlq-timestamp'
const ownCountHeader = 'dlq-headers'

export type OwnHeaders = readonly (readonly [name: Buffer, content: Buffer | null])[]

interface SplitHeaders {
  /** The record's own headers. */
  readonly own: OwnHeaders
  readonly added: AddedHeaders | undefined
}

export interface AddedHeaders {
  text(name: string): string | undefined
  bytes(name: string): Buffer | undefined
}

/** Returns a record's own headers with others behind them. */
export function addHeaders(
  own: readonly HeaderField[],
  added: Readonly<Record<string, string | Buffer>>
): HeaderField[] {
  const headers = [...own, ...Object.entries(added)]
  return [...headers, [ownCountHeader, `${own.length}/${headers.length + 1}`]]
}

/** Separates the record's own headers from the added ones, of which most records have none. */
export function splitHeaders({ headers }: FetchedRecord): SplitHeaders {
  const { own, added } = splitFields([...headers])
  return { own, added: added && { text: name => added.get(name)?.toString(), bytes: name => added.get(name) } }
}

/** Does the same for a record that is to be written. */
export function splitFields<Field extends HeaderField>(
  all: readonly Field[]
): { own: readonly Field[]; added: Map<string, Exclude<Field[1], null>> | undefined } {
  const [name, counts] = all.at(-1) ?? []
  const [, own, count] = /^(\d{1,9})\/(\d{1,9})$/.exec(String(name) === ownCountHeader ? String(counts) : '') ?? []
  if (Number(count) !== all.length || Number(own) >= all.length) return { own: all, added: undefined }
  const added = new Map<string, Exclude<Field[1], null>>()
  for (const [name, content] of all.slice(Number(own), -1)) {
    if (content !== null) added.set(String(name), content as Exclude<Field[1], null>)
  }
  return { own: all.slice(0, Number(own)), added }
}

/** Returns the added headers; undefined, without looking at the others, for a record that has none. */
export function addedHeaders(record: FetchedRecord): AddedHeaders | undefined {
  return record.headers.textOfLast(ownCountHeader) === undefined ? undefined : splitHeaders(record).added
}
