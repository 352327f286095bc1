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

/** A real process of the tiny service. */
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

  /** Which resources were closed, in this order. */
  closed(): (string | undefined)[] {
    return this.lines.filter(({ msg }) => msg === 'closed').map(({ resource }) => resource)
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} closes everything in reverse order and the process exits 0`, async t => {
    const service = new TinyService(t, {})
    await service.logged('listening')
    service.child.kill(signal)
    assert.equal(await service.exit, 0)
    assert.deepEqual(service.closed(), ['second', 'first'])
    assert.equal(service.lines.at(-1)?.msg, 'stopped', JSON.stringify(service.lines))
  })

  test(`${signal} while a request is under way lets it be answered first`, async t => {
    const service = new TinyService(t, {})
    const { address } = await service.logged('listening')
    const answer = fetch(`${address}/slow`)
    await service.logged('request arrived')
    service.child.kill(signal)
    assert.deepEqual(await (await answer).json(), { done: true })
    assert.equal(await service.exit, 0)
  })
}

test('a second signal ends a stop that hangs with exit code 1', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'stop hangs', SHUTDOWN_DEADLINE_MS: '600000' })
  await service.logged('listening')
  service.child.kill('SIGTERM')
  await service.logged('stopping')
  service.child.kill('SIGINT')
  assert.equal(await service.exit, 1)
})

test('a stop that takes longer than its deadline ends with exit code 1 and names what it waits for', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'stop hangs', SHUTDOWN_DEADLINE_MS: '100' })
  await service.logged('listening')
  service.child.kill('SIGTERM')
  assert.equal(await service.exit, 1)
  assert.equal((await service.logged('stopping took too long')).resource, 'second')
})

test('a resource that fails to close does not keep the others open, and the exit code is 1', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'stop fails' })
  await service.logged('listening')
  service.child.kill('SIGTERM')
  assert.equal(await service.exit, 1)
  assert.deepEqual(service.closed(), ['first'])
})

test('a start that fails closes what it had opened and exits 1', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'start fails' })
  assert.equal(await service.exit, 1)
  await service.logged('failed')
  assert.deepEqual(service.closed(), ['first'])
})

test('a signal in the middle of a start closes what it had opened and exits 0', async t => {
  const service = new TinyService(t, { BEHAVIOUR: 'start hangs' })
  await service.logged('opened')
  service.child.kill('SIGTERM')
  assert.equal(await service.exit, 0)
  assert.deepEqual(service.closed(), ['first'])
})

test('a service that is starting is live and not ready, and answers requests when it has started', async t => {
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

test('a service that was fenced stops and exits 70', async t => {
  const service = new TinyService(t, {})
  const { address } = await service.logged('listening')
  await fetch(`${address}/fenced`, { method: 'POST' })
  assert.equal(await service.exit, 70)
  assert.deepEqual(service.closed(), ['second', 'first'])
})

test('an error that nobody caught stops the service with exit code 1', async t => {
  const service = new TinyService(t, {})
  const { address } = await service.logged('listening')
  await fetch(`${address}/bug`, { method: 'POST' })
  assert.equal(await service.exit, 1)
  assert.deepEqual(service.closed(), ['second', 'first'])
})

test('wrong settings are listed on standard error and the process exits 78 before it opens anything', async t => {
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

test('a port that is taken is a wrong setting', async t => {
  const other = createServer().listen(0, '127.0.0.1')
  t.after(() => other.close())
  await once(other, 'listening')
  const service = new TinyService(t, { HTTP_PORT: String((other.address() as { port: number }).port) })
  assert.equal(await service.exit, 78)
  assert.deepEqual(service.closed(), [], 'nothing was opened')
})

test('a parent with a channel is told the address; when the parent goes, the service stops', async t => {
  const service = new TinyService(t, {}, 'ipc')
  const [message] = (await once(service.child, 'message')) as [{ type: string; address: string }]
  assert.equal(message.type, 'listening')
  assert.equal((await fetch(`${message.address}/health/ready`)).status, 200)
  service.child.disconnect()
  assert.equal(await service.exit, 0)
})
