import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import type { Contestant } from './contestants.ts'
import { scenarios } from './scenarios.ts'

/** The scenarios of the comparison that depend least on time, with our client only. */
const chosen = ['aborted records', 'restart']
const contestant: Contestant = {
  name: '@orderly/kafka',
  version: '',
  source: '',
  command: process.execPath,
  args: [join(import.meta.dirname, 'competitors', 'ours.mjs')]
}
const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }

describe('our loop in the comparison of clients', { concurrency: true }, () => {
  for (const { name, run } of scenarios.filter(({ name }) => chosen.includes(name)))
    test(`passes the scenario "${name}"`, async () => {
      const { passed, note } = await run({ connection, contestant })
      assert.ok(passed, note)
    })
})
