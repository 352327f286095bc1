import { elementsOf, ProblemError, parseJSON } from '@orderly/service-kit'
import { maxBatchOrders } from './batch-schema.ts'
import { maxOrderBytes } from './schema.ts'

/**
 * An order of a batch before validation, or the ProblemError of an order that could not be read.
 *
 * Orders are read one by one, and the size of each is checked before it is parsed, as for a single
 * order. Otherwise one order in a batch could have two million lines. A batch with too many orders
 * is not parsed at all, because the schema refuses it by its length.
 */
type GivenOrder = unknown

/** Reads a batch in a JSON array. @throws ProblemError if the whole body is not valid JSON */
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

/**
 * Reads one order.
 * @throws SyntaxError if it is not JSON; ProblemError if it is nested too deeply, which refuses the
 * whole batch because no order has such a form by mistake
 */
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
