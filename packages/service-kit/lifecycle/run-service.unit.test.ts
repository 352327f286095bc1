import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const fixture = fileURLToPath(new URL('../testing/fixtures/tiny-service.ts', import.meta.url))

interface LogLine {
  readonly msg: string
  readonly resource?: string
  readonly address?: string
}

/** A process that runs the tiny service. */
class TinyService {
  readonly lines: LogLine[] = []
  readonly child: ChildProcess
  readonly exit: Promise<number | null>
  #wake: () => void = () => {}

  constructor(t: TestContext, settings: Record<string, string>, stdio: 'ipc' | 'ignore' = 'ignore') {
    const { PATH = '' } = process.env
    const env = { PATH, HTTP_PORT: '0', ...settings }
    this.child = spawn(process.execPath, [fixture], { env, stdio: ['ignore', 'pipe', 'pipe', stdio] })
    t.after(() => this.child.kill('SIGKILL'))
    if (this.child.stdout === null) throw new Error('stdout is a pipe')
    const log = createInterface(this.child.stdout).on('line', line => {
      this.lines.push(JSON.parse(line))
      this.#wake()
    })
    const exit = once(this.child, 'exit') as Promise<[number | null]>
    this.exit = Promise.all([exit, once(log, 'close')]).then(([[code]]) => code)
  }

  async logged(message: string): Promise<LogLine> {
    for (;;) {
      const line = this.lines.find(({ msg }) => msg === message)
      if (line !== undefined) return line
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** Names of the closed resources, in order. */
  closed(): (string | undefined)[] {
    return this.lines.filter(({ msg }) => msg === 'closed').map(({ resource }) => resource)
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} closes all resources in reverse order, and the process exits with 0`, async t => {
    const service = new TinyService(t, {})
    await service.logged('listening')
    service.child.kill(signal)
    assert.equal(await service.exit, 0)
    assert.deepEqual(service.closed(), ['second', 'first'])
    assert.equal(service.lines.at(-1)?.msg, 'stopped', JSON.stringify(service.lines))
  })

  test(`${signal} waits for the request in flight`, async t => {
    const service = new TinyService(t, {})
    const { address } = await service.logged('listening')
    const answer = fetch(`${address}/slow`)
    await service.logged('request arrived')
    service.child.kill(signal)
    assert.deepEqual(await (await answer).json(), { done: true })
    assert.equal(await service.exit, 0)
  })
}

test('a second signal ends a hanging shutdown with exit code 1', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'stop hangs', SHUTDOWN_DEADLINE_MS: '600000' })
  await service.logged('listening')
  service.child.kill('SIGTERM')
  await service.logged('stopping')
  service.child.kill('SIGINT')
  assert.equal(await service.exit, 1)
})

test('a shutdown that exceeds its deadline exits with 1 and logs the resource it waits for', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'stop hangs', SHUTDOWN_DEADLINE_MS: '100' })
  await service.logged('listening')
  service.child.kill('SIGTERM')
  assert.equal(await service.exit, 1)
  assert.equal((await service.logged('shutdown deadline exceeded')).resource, 'second')
})

test('if a resource fails to close, the others are closed and the process exits with 1', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'stop fails' })
  await service.logged('listening')
  service.child.kill('SIGTERM')
  assert.equal(await service.exit, 1)
  assert.deepEqual(service.closed(), ['first'])
})

test('a failed start closes the opened resources and exits with 1', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'start fails' })
  assert.equal(await service.exit, 1)
  await service.logged('service failed')
  assert.deepEqual(service.closed(), ['first'])
})

test('a signal during the start closes the opened resources and exits with 0', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'start hangs' })
  await service.logged('opened')
  service.child.kill('SIGTERM')
  assert.equal(await service.exit, 0)
  assert.deepEqual(service.closed(), ['first'])
})

test('a starting service is live but not ready, and answers requests once it has started', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'start waits' }, 'ipc')
  const { address } = await service.logged('starting')
  const status = async (path: string, init: RequestInit = {}) => (await fetch(`${address}${path}`, init)).status
  assert.deepEqual(
    await Promise.all(['/health/live', '/health/ready', '/slow'].map(path => status(path))),
    [200, 503, 503]
  )
  const refused = await fetch(`${address}/slow`)
  assert.deepEqual(
    [refused.headers.get('retry-after'), ((await refused.json()) as { code: string }).code],
    ['1', 'STARTING']
  )
  service.child.send('continue')
  assert.equal((await service.logged('listening')).address, address)
  assert.deepEqual(
    await Promise.all(['/health/live', '/health/ready', '/nothing'].map(path => status(path))),
    [200, 200, 404]
  )
  service.child.kill('SIGTERM')
  assert.equal(await service.exit, 0)
})

test('a fenced service stops and exits with 70', async t => {
  const service = new TinyService(t, {})
  const { address } = await service.logged('listening')
  await fetch(`${address}/fenced`, { method: 'POST' })
  assert.equal(await service.exit, 70)
  assert.deepEqual(service.closed(), ['second', 'first'])
})

test('an uncaught error stops the service with exit code 1', async t => {
  const service = new TinyService(t, {})
  const { address } = await service.logged('listening')
  await fetch(`${address}/bug`, { method: 'POST' })
  assert.equal(await service.exit, 1)
  assert.deepEqual(service.closed(), ['second', 'first'])
})

test('invalid settings are listed on standard error, and the process exits with 78 before opening anything', async t => {
  const service = new TinyService(t, { HTTP_PORT: 'eighty', SHUTDOWN_DEADLINE_MS: '1' })
  let errors = ''
  service.child.stderr?.on('data', chunk => {
    errors += chunk
  })
  assert.equal(await service.exit, 78)
  assert.match(
    errors,
    /^tiny cannot start: 2 settings are wrong:\n {2}HTTP_PORT is .*\n {2}SHUTDOWN_DEADLINE_MS is .*\n$/
  )
  assert.deepEqual(service.lines, [])
})

test('a port in use is reported as an invalid setting', async t => {
  const other = createServer().listen(0, '127.0.0.1')
  t.after(() => other.close())
  await once(other, 'listening')
  const service = new TinyService(t, { HTTP_PORT: String((other.address() as { port: number }).port) })
  assert.equal(await service.exit, 78)
  assert.deepEqual(service.closed(), [], 'nothing was opened')
})

test('a parent with an IPC channel receives the address, and the service stops when the channel closes', async t => {
  const service = new TinyService(t, {}, 'ipc')
  const [message] = (await once(service.child, 'message')) as [{ type: string; address: string }]
  assert.equal(message.type, 'listening')
  assert.equal((await fetch(`${message.address}/health/ready`)).status, 200)
  service.child.disconnect()
  assert.equal(await service.exit, 0)
})
