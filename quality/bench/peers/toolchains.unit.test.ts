import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Supervisor } from '@orderly/launcher'
import { createPeers } from './toolchains.ts'

test('without Go its peers are skipped with one message that names what to install', async t => {
  const { peersOfScenario, said } = machineWith(t)
  const peers = peersOfScenario()
  const { missing } = peers
  assert.equal(await peers.start('go', 'stage'), undefined)
  assert.equal(await peers.start('go', 'order'), undefined)
  assert.deepEqual(missing, said)
  assert.match(said.join('\n'), /^The peers in Go are skipped, .* `go` is not on PATH; install it.*$/)
})

test('the message quotes the error of a failing compiler', async t => {
  const { peersOfScenario, said } = machineWith(t, '#!/bin/sh\necho "go: no network" >&2\nexit 1\n')
  assert.equal(await peersOfScenario().start('go', 'stage'), undefined)
  assert.match(said.join('\n'), /^The peers in Go are skipped, .*: go: no network$/)
})

test('without a JDK the peers in Java are skipped with a message that names a JDK to install', async t => {
  const { peersOfScenario, said } = machineWith(t)
  assert.equal(await peersOfScenario().start('java', 'stage'), undefined)
  assert.match(said.join('\n'), /^The peers in Java are skipped, .*No JDK was found.*openjdk-21-jdk-headless/)
})

test('a scenario reports exactly its own missing languages, even if an earlier scenario has reported them', async t => {
  const { peersOfScenario, said } = machineWith(t)
  const [first, second, third] = [peersOfScenario(), peersOfScenario(), peersOfScenario()]
  await first.start('go', 'stage')
  await first.start('java', 'stage')
  await second.start('go', 'order')
  assert.deepEqual([first.missing.length, second.missing.length, third.missing.length], [2, 1, 0])
  assert.match(second.missing.join(), /in Go/)
  assert.equal(said.length, 2)
})

/** Returns peers on a machine without Java and with the given `go`, or none. */
function machineWith(t: TestContext, go?: string) {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-peers-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  if (go !== undefined) {
    writeFileSync(join(bin, 'go'), go)
    chmodSync(join(bin, 'go'), 0o755)
  }
  const said: string[] = []
  const machine = { environment: { PATH: bin }, builds: join(directory, 'builds'), javas: [] }
  return { said, peersOfScenario: createPeers({} as Supervisor, text => said.push(text), machine) }
}
