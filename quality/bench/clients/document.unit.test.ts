import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { loopback } from '@orderly/launcher'
import type { Contestant } from './contestants.ts'
import { comparisonPage } from './document.ts'
import { startLosingProxy } from './losing-proxy.ts'

const contestant = (name: string): Contestant => ({ name, version: '1.0', source: 'a.mjs', command: '', args: [] })

test('the page has a row for each scenario, a column for each client, and the missing ones with their reason', () => {
  const passed = { passed: true, note: '' }
  const [ours, theirs] = [contestant('ours'), contestant('theirs')]
  const page = comparisonPage({
    contestants: [ours, theirs, { name: 'native', missing: 'no compiler' }],
    scenarios: [{ name: 'zombie', question: 'Is it fenced?' }],
    rounds: 2,
    outcomes: new Map([
      [
        'zombie',
        new Map([
          ['ours', [passed, { passed: true, note: 'restarted 1×' }]],
          ['theirs', [passed, { passed: false, note: '3 of 100' }]]
        ])
      ]
    ]),
    figures: new Map([[ours, { recordsPerSecond: 1_000, cpuMicroseconds: 2, batchRecords: 500, p50Ms: 3, p99Ms: 4 }]]),
    machine: 'a machine'
  })
  assert.match(page, /\| \*\*zombie\*\*\. Is it fenced\? \| pass: restarted 1× \| \*\*fail\*\* 1 of 2: 3 of 100 \|/)
  assert.match(page, /- native: no compiler/)
  assert.match(page, /\| ours \| /)
})

test('the proxy loses one answer of the chosen API, after the broker has answered, and passes all others', async t => {
  const frame = (...words: readonly number[]) => {
    const bytes = Buffer.alloc(4 + words.length * 4)
    bytes.writeInt32BE(words.length * 4)
    for (const [index, word] of words.entries()) bytes.writeInt32BE(word, 4 + index * 4)
    return bytes
  }
  let answered = 0
  const broker = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', request => {
      answered++
      socket.write(frame((request as Buffer).readInt32BE(8)))
    })
  })
  await new Promise<void>(resolve => broker.listen(0, loopback, resolve))
  t.after(() => broker.close())
  const proxy = await startLosingProxy(() => (broker.address() as { port: number }).port)
  t.after(() => proxy.close())

  /** Sends a request, whose first word is API key and version. Returns the correlation id of the answer. */
  const ask = async (apiKey: number, correlation: number) => {
    const socket = connect(proxy.port, loopback)
    socket.write(frame(apiKey << 16, correlation))
    const answer = await new Promise<number | undefined>(resolve => {
      socket.once('data', data => resolve((data as Buffer).readInt32BE(4)))
      socket.once('error', () => resolve(undefined)).once('close', () => resolve(undefined))
    })
    socket.destroy()
    return answer
  }
  proxy.loseNext(26)
  assert.equal(await ask(0, 1), 1)
  assert.equal(await ask(26, 2), undefined)
  assert.equal(await ask(26, 3), 3)
  assert.deepEqual({ answered, lost: proxy.lost }, { answered: 3, lost: 1 })
})
