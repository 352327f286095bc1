import type { TestContext } from 'node:test'
import { Connection } from '@platformatic/kafka'
import type { FetchResponse } from '../fetch/fetch-committed.ts'
import { readLogBatches } from '../fetch/log-batches.ts'

const fetchKey = 1

/** Flips a byte of the records in the next non-empty fetch responses, like damage in transit. */
export function damageFetchResponses(t: TestContext, times: number): { readonly damaged: () => number } {
  const send = Connection.prototype.send
  let damaged = 0
  type Parser = (...args: unknown[]) => unknown
  t.mock.method(Connection.prototype, 'send', function (this: Connection, ...args: unknown[]) {
    const [apiKey, , , parse] = args as [number, number, unknown, Parser]
    if (apiKey === fetchKey) {
      args[3] = (...input: unknown[]) => {
        const response = parse(...input) as FetchResponse
        const batches = response.responses
          .flatMap(({ partitions }) => partitions.map(({ batches }) => batches))
          .find(({ length }) => length > 0)
        const bytes = batches?.[0]?.bytes
        if (batches === undefined || bytes === undefined || damaged >= times) return response
        damaged++
        bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 0xff
        batches.splice(0, 1, ...readLogBatches(bytes))
        return response
      }
    }
    return Reflect.apply(send, this, args)
  })
  return { damaged: () => damaged }
}
