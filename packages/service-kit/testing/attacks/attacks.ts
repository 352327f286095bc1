import assert from 'node:assert/strict'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'

/**
 * A row of a table of attacks on running services. The response must be as documented and reveal no
 * internal details, and the service must continue to answer.
 */
export interface Attack {
  readonly name: string
  /** Name of the attacked service; the first one by default. */
  readonly to?: string
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Strings and buffers are sent unchanged, everything else as JSON. */
  readonly body?: unknown
  /** Bytes of the whole request. They replace the method, path, headers and body. */
  readonly raw?: string
  readonly status: number
  readonly code?: string
}

export interface AttackedService {
  readonly url: string
}

export interface AttackTargets {
  readonly services: Readonly<Record<string, AttackedService>>
  /** Texts that a response must not contain. */
  readonly secrets: readonly string[]
}

export interface Attacks {
  /** Number of executed attacks. */
  readonly count: number
  run(group: string, list: readonly Attack[]): Promise<void>
}

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

const insides =
  /\.ts\b|node_modules|node:internal|\bat [\w.]+ \(|SELECT |INSERT |syntax error at|pg_|ECONN|127\.0\.0\.1:\d|"stack"/

export function createAttacks(t: TestContext, { services, secrets }: AttackTargets): Attacks {
  const [usual] = Object.keys(services)
  const names = new Set<string>()

  async function tryOne(group: string, attack: Attack): Promise<void> {
    const name = `${group}: ${attack.name}`
    assert.ok(!names.has(name), 'two attacks have the same name')
    names.add(name)
    const service = services[attack.to ?? usual ?? '']
    assert.ok(service !== undefined, `there is no service ${attack.to}`)
    const answer = await send(service.url, attack)
    const shown = `${answer.status} ${answer.body.slice(0, 400)}`
    assert.equal(answer.status, attack.status, shown)
    if (answer.status >= 400) checkProblem(answer, attack.code, shown)
    assert.doesNotMatch(answer.body, insides)
    assert.equal(answer.headers['x-content-type-options'], 'nosniff')
    assert.equal(answer.headers['access-control-allow-origin'], undefined)
    assert.equal(answer.headers['x-powered-by'] ?? answer.headers.server, undefined)
    for (const secret of secrets) assert.ok(!answer.body.includes(secret))
    const live = await send(service.url, { path: '/health/live' })
    assert.equal(live.status, 200, 'the service still answers')
  }

  return {
    get count() {
      return names.size
    },
    run: (group, list) =>
      t.test(group, async context => {
        for (const attack of list) await context.test(attack.name, () => tryOne(group, attack))
      })
  }
}

function checkProblem({ status, headers, body }: Answered, code: string | undefined, shown: string): void {
  assert.match(String(headers['content-type']), /^application\/problem\+json/, shown)
  const problem = JSON.parse(body)
  assert.equal(problem.status, status, shown)
  assert.equal(problem.type, `/docs/problems#${problem.code}`)
  if (code !== undefined) assert.equal(problem.code, code, shown)
}

/** Sends the attack over a separate connection. */
async function send(url: string, attack: Omit<Attack, 'name' | 'status'>): Promise<Answered> {
  const { hostname, port } = new URL(url)
  if (attack.raw !== undefined) {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.end(Buffer.from(attack.raw, 'latin1'))
    return parseAnswer(await text(socket))
  }
  const { method = 'GET', path = '/', headers = {} } = attack
  const body = bytesOf(attack.body)
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': body.length }
    const sending = request(
      { hostname, port, method, path, headers: { ...headers, ...length } as never, agent: false },
      async answer =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer).catch(() => '') })
    )
    sending.on('error', reject).end(body)
  })
}

function bytesOf(body: unknown): Buffer | undefined {
  if (body === undefined || Buffer.isBuffer(body)) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

function parseAnswer(answer: string): Answered {
  const end = answer.indexOf('\r\n\r\n')
  const [first = '', ...lines] = answer.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(lines.map(line => line.split(/: (.*)/s).slice(0, 2)))
  return { status: Number(first.split(' ')[1]), headers, body: answer.slice(end + 4) }
}
