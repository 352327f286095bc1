import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { publishLocalStack, readLocalStack } from './local-stack.ts'

function fileOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-local-stack-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return join(directory, 'stack.json')
}

describe('local stack', () => {
  test('a running stack is readable, by its user only, until it is withdrawn', t => {
    const file = fileOf(t)
    const stack = {
      pid: process.pid,
      addresses: { KAFKA_BROKERS: '127.0.0.1:9092' }
    }
    assert.equal(readLocalStack(file), undefined)
    const withdraw = publishLocalStack(stack, file)
    assert.deepEqual(readLocalStack(file), stack)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    withdraw()
    assert.equal(readLocalStack(file), undefined)
  })

  test('the file of a killed launcher is ignored', async t => {
    const file = fileOf(t)
    const child = spawn(process.execPath, ['--eval', ''])
    await once(child, 'exit')
    publishLocalStack({ pid: child.pid ?? 0, addresses: {} }, file)
    assert.equal(readLocalStack(file), undefined)
  })
})
