import type { TestContext } from 'node:test'
import { Connection } from '@platformatic/kafka'

const produceKey = 0

interface ProduceResponse {
  readonly responses: readonly { readonly name: string; readonly partitionResponses: { errorCode: number }[] }[]
}

/**
 * Replaces the error codes of the next produce responses for a topic, one code per response, after
 * the broker has processed the requests. A client sees the same if, for example, a broker appends a
 * batch and then fails.
 */
export function falsifyProduceResponses(t: TestContext, topic: string, errorCodes: readonly number[]): void {
  const send = Connection.prototype.send
  const left = [...errorCodes]
  type Parser = (...args: unknown[]) => unknown
  t.mock.method(Connection.prototype, 'send', function (this: Connection, ...args: unknown[]) {
    const [apiKey, , , parse] = args as [number, number, unknown, Parser]
    if (apiKey === produceKey) {
      args[3] = (...input: unknown[]) => {
        const response = parse(...input) as ProduceResponse
        const own = response.responses.filter(({ name }) => name === topic)
        const errorCode = own.length > 0 ? left.shift() : undefined
        if (errorCode === undefined) return response
        for (const partition of own.flatMap(({ partitionResponses }) => partitionResponses)) {
          partition.errorCode = errorCode
        }
        return response
      }
    }
    return Reflect.apply(send, this, args)
  })
}
