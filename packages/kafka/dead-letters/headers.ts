import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { HeaderField } from '../records.ts'

/**
 * Headers that stages and operators add to existing records: to dead letters and to replayed
 * records.
 *
 * A record keeps its own headers byte for byte, including their order, repeated names and null
 * values. Added headers follow them as one block. The last header of the block, `dlq-headers`,
 * contains the number of the record's own headers and the total number. A record's own header is
 * therefore never mistaken for an added one because of its name.
 */
export const stageHeader = 'dlq-stage'
export const reasonHeader = 'dlq-reason'
export const codeHeader = 'dlq-code'
/** Position of the record when it became a dead letter. */
export const topicHeader = 'dlq-topic'
export const partitionHeader = 'dlq-partition'
export const offsetHeader = 'dlq-offset'
/** Original position of the record before any replay, as `partition/offset`. */
export const originHeader = 'dlq-origin'
/** Name of the replay that contains a record. */
export const replayHeader = 'dlq-replay'
/**
 * Name of the replay that a release completes, and the number of dead letters that the replay knew
 * of.
 */
export const releaseHeader = 'dlq-release'
export const blockingCountHeader = 'dlq-parked'
export const refusalHeader = 'dlq-release-refused'
/** Name of an operation, on its mark. */
export const operationHeader = 'dlq-operation'
/** Complete key of a record whose key is too long for a dead letter. */
export const keyHeader = 'dlq-key'
/**
 * Headers of a reduced dead letter: the code that explains the reduction, and a description of the
 * missing parts.
 */
export const reducedHeader = 'dlq-reduced'
export const valueBytesHeader = 'dlq-value-bytes'
export const valueHashHeader = 'dlq-value-sha256'
export const keyBytesHeader = 'dlq-key-bytes'
export const keyHashHeader = 'dlq-key-sha256'
export const droppedHeadersHeader = 'dlq-headers-dropped'
/**
 * Headers of the dead letter of an unreadable batch: its first and last offset, number of records,
 * size and checksum.
 */
export const batchHeader = 'dlq-batch'
export const recordsHeader = 'dlq-records'
export const batchBytesHeader = 'dlq-batch-bytes'
export const batchHashHeader = 'dlq-batch-sha256'
/** Timestamp of the record, in milliseconds since the epoch. */
export const timestampHeader = 'dlq-timestamp'
const ownCountHeader = 'dlq-headers'

/** Headers of the record itself, without those that stages and operators added. */
export type OwnHeaders = readonly (readonly [name: Buffer, content: Buffer | null])[]

interface SplitHeaders {
  /** Headers of the record itself. */
  readonly own: OwnHeaders
  readonly added: AddedHeaders | undefined
}

export interface AddedHeaders {
  text(name: string): string | undefined
  bytes(name: string): Buffer | undefined
}

/** Returns a record's own headers followed by added ones. */
export function addHeaders(
  own: readonly HeaderField[],
  added: Readonly<Record<string, string | Buffer>>
): HeaderField[] {
  const headers = [...own, ...Object.entries(added)]
  return [...headers, [ownCountHeader, `${own.length}/${headers.length + 1}`]]
}

/** Separates the record's own headers from the added ones. Most records have no added headers. */
export function splitHeaders({ headers }: FetchedRecord): SplitHeaders {
  const { own, added } = splitFields([...headers])
  return { own, added: added && { text: name => added.get(name)?.toString(), bytes: name => added.get(name) } }
}

/** Separates the headers of an output record in the same way. */
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

/**
 * Returns the added headers of a record. Returns undefined, without parsing the other headers, if
 * it has none.
 */
export function addedHeaders(record: FetchedRecord): AddedHeaders | undefined {
  return record.headers.textOfLast(ownCountHeader) === undefined ? undefined : splitHeaders(record).added
}
