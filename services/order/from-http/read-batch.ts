import { elementsOf, ProblemError, parseJSON } from '@orderly/service-kit'
import { maxBatchOrders } from './batch-schema.ts'
import { maxOrderBytes } from './schema.ts'

/**
 * Reads the orders of a batch one by one. Each is measured before it is parsed, as one that is sent alone: a batch has room
 * for an order of two million lines. The ProblemError of an order that is refused here takes its place in the batch.
 *
 * A batch of more orders than may be in one is not parsed at all: the schema refuses it by its length.
 */
type GivenOrder = unknown

/** @throws ProblemError when the body as a whole is not JSON */
export function readArray(body: Buffer): unknown {
  try {
    const elements = elementsOf(body, maxBatchOrders)
    if (elements === undefined) return parseJSON(body)
    return elements.length > maxBatchOrders ? elements : elements.map(readOrder)
  } catch (error) {
    throw error instanceof SyntaxError ? new ProblemError(400, 'INVALID_JSON', 'The body is not valid JSON.') : error
  }
}

export function readLines(body: Buffer): readonly GivenOrder[] {
  const orders: GivenOrder[] = []
  for (let start = 0; orders.length <= maxBatchOrders; ) {
    while (isSpace(body[start])) start++
    if (start >= body.length) break
    const newLine = body.indexOf(lineFeed, start)
    const end = newLine === -1 ? body.length : newLine
    orders.push(readLine(body.subarray(start, end)))
    start = end + 1
  }
  return orders
}

const lineFeed = 0x0a

function isSpace(byte: number | undefined): boolean {
  return byte === lineFeed || byte === 0x20 || byte === 0x09 || byte === 0x0d
}

function readLine(line: Buffer): GivenOrder {
  try {
    return readOrder(line)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return new ProblemError(400, 'INVALID_JSON', 'The line is not valid JSON.')
  }
}

/** @throws SyntaxError; ProblemError when it is nested too deeply, which no order is by mistake */
function readOrder(bytes: Buffer): GivenOrder {
  if (bytes.length > maxOrderBytes) {
    return new ProblemError(413, 'BODY_TOO_LARGE', `The order is larger than ${maxOrderBytes} bytes.`)
  }
  try {
    return parseJSON(bytes)
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === 'INVALID_REQUEST') return error
    throw error
  }
}
