import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createAnswerCheck, type FuzzAnswer } from './check-answer.ts'
import { type ApiDocument, type LocatedOperation, operationsOf } from './document.ts'
import { badRequests, type FuzzRequest, goodRequests } from './requests.ts'

export interface FuzzOptions {
  readonly baseURL: string
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Number of requests per kind and operation. The environment variable `FUZZ_RUNS` overrides it.
   */
  readonly runs: number
  /** Called with each successful response, so that a test can simulate its consequences. */
  readonly onAnswer?: (answer: FuzzAnswer) => unknown
  /** Operations that cannot succeed in the test, because they need another service. */
  readonly neverDone?: readonly string[]
}

export interface FuzzReport {
  /** Number of responses per status, by operation. */
  readonly statuses: Readonly<Record<string, Readonly<Record<string, number>>>>
}

const lastChances = 500

/**
 * Sends valid and invalid requests to every operation of an OpenAPI document, and asserts:
 *
 * - No response is 5xx, and none has an undocumented status, media type or field.
 * - Requests that the document forbids are refused.
 * - Every operation has a 2xx response, except those in `neverDone`.
 *
 * Values of responses (an order id, a cursor) are reused for parameters of the same name.
 */
export async function fuzzApi(document: ApiDocument, options: FuzzOptions): Promise<FuzzReport> {
  const { onAnswer, neverDone = [] } = options
  const runs = Number(process.env.FUZZ_RUNS ?? options.runs)
  const known = new Map<string, string[]>()
  const statuses: Record<string, Record<string, number>> = {}
  const check = createAnswerCheck(document)

  async function tryOne({ operation }: LocatedOperation, request: FuzzRequest): Promise<void> {
    const answer = await send(request, options)
    const counts = statuses[operation.operationId] ?? {}
    statuses[operation.operationId] = { ...counts, [answer.status]: (counts[answer.status] ?? 0) + 1 }
    check(operation, request, answer)
    if (answer.status >= 300) return
    learn(known, answer.body)
    await onAnswer?.(answer)
  }

  // POST and PUT run before GET, so that there are resources to read.
  const operations = operationsOf(document).sort((a, b) => b.method.localeCompare(a.method))
  for (const requests of [goodRequests, badRequests]) {
    for (const located of operations) {
      const property = fc.asyncProperty(requests(document, located, known), request => tryOne(located, request))
      await fc.assert(property, { numRuns: runs })
    }
  }
  for (const located of operations) {
    const { operationId } = located.operation
    if (neverDone.includes(operationId)) continue
    const answered = () => Object.keys(statuses[operationId] ?? {})
    const isDone = () => answered().some(status => status.startsWith('2'))
    // With few runs, no request may have succeeded by chance.
    for (const request of isDone() ? [] : fc.sample(goodRequests(document, located, known), lastChances)) {
      if (!isDone()) await tryOne(located, request)
    }
    assert.ok(isDone(), `${operationId} was answered ${answered()} only`)
  }
  return { statuses }
}

async function send({ method, path, headers, body }: FuzzRequest, options: FuzzOptions): Promise<FuzzAnswer> {
  const response = await fetch(`${options.baseURL}${path}`, {
    method,
    headers: { ...options.headers, ...headers },
    ...(body !== undefined && { body })
  })
  const { status } = response
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  return { status, headers: response.headers, body: isStream ? await firstEvent(response) : await response.text() }
}

/** Reads the first event of a stream with data. @returns its fields as JSON */
async function firstEvent(response: Response): Promise<string> {
  let text = ''
  for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    text += chunk
    const event = text
      .split('\n\n')
      .slice(0, -1)
      .find(block => /^data: /m.test(block))
    if (event !== undefined) return JSON.stringify(Object.fromEntries(event.split('\n').map(fieldOf)))
  }
  throw new Error(`the stream ended without an event: ${text}`)
}

function fieldOf(line: string): [name: string, content: string] {
  const [, name = '', content = ''] = /^(\w*): (.*)$/.exec(line) ?? []
  return [name, content]
}

const mostKnown = 50

function learn(known: Map<string, string[]>, body: string): void {
  const visit = (value: unknown, name?: string) => {
    if (typeof value === 'string' && name !== undefined) {
      const values = known.get(name === 'nextCursor' ? 'cursor' : name) ?? []
      if (values.length < mostKnown) values.push(value)
      known.set(name === 'nextCursor' ? 'cursor' : name, values)
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) visit(inner, Array.isArray(value) ? undefined : key)
    }
  }
  if (body !== '') visit(JSON.parse(body))
}
