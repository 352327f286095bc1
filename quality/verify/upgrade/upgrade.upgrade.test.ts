/**
 * Upgrades a running pipeline from the latest release to the working tree, back, and again, with
 * rolling restarts under load (`npm run test:upgrade`). The steps are those of docs/guides/upgrade.md.
 * The verifier records the run and checks all guarantees.
 */
import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { orderlyDirectory, prepareDatabase, projectDirectory, waitUntil } from '@orderly/launcher'
import { superviseRun } from '@orderly/launcher/testing'
import { ownerRole } from '@orderly/postgres'
import { check } from '../checker/check.ts'
import { crossCheck } from '../collect/cross-check.ts'
import type { History } from '../history/history.ts'
import type { Fleet } from '../run/fleet.ts'
import { run } from '../run/run.ts'
import { startServers, startSharedServers, withDatabase } from '../run/servers.ts'
import { checkOutRelease, migrateWith } from './release.ts'

/** In the order of their upgrade: readers of an event before its writer. */
const instances = { aggregator: 1, notification: 1, inventory: 2, order: 2 }
const instanceNames = Object.entries(instances).flatMap(([service, count]) =>
  Array.from({ length: count }, (_, index) => `${service}-${index + 1}`)
)
const readyDeadlineMs = 180_000
const database = 'upgrade'

test('an upgrade from the latest release and its rollback lose, double and refuse no order', async t => {
  const { supervisor, directories } = superviseRun(t, 'test')
  const old = join(directories.data, 'release')
  const release = await checkOutRelease(t, old)
  if (release === undefined) return
  const note = (text: string) => process.stderr.write(`${text}\n`)

  const options = { supervisor, directories, brokers: 1 }
  const shared = await startSharedServers(options)
  await prepareDatabase(shared.databaseAccess, database)
  const ownerURL = shared.databaseAccess.urlOf(ownerRole, database)
  await migrateWith(old, ownerURL)
  const createDatabase = async () => shared.databaseAccess.superuserURL(database)
  const servers = await startServers({ ...shared, createDatabase }, options)
  t.after(() => servers.stop())

  const countOutcomes = () =>
    withDatabase(servers.databaseURL, async client => {
      const { rows } = await client.query('SELECT count(*)::int AS count FROM inventory.outcomes')
      return rows[0].count as number
    })
  async function decideMoreOrders(): Promise<void> {
    const before = await countOutcomes()
    const areThere = async () => (await countOutcomes()) >= before + 100
    await waitUntil(areThere, { what: '100 more outcomes', deadlineMs: 180_000, intervalMs: 500 })
  }
  async function roll(fleet: Fleet, names: readonly string[], directory: string): Promise<void> {
    for (const name of names) {
      note(`${name} runs ${directory === old ? release : 'the working tree'}`)
      await fleet.update(name, directory, readyDeadlineMs)
    }
    await decideMoreOrders()
  }
  async function upgradeTwice(fleet: Fleet): Promise<void> {
    await decideMoreOrders()
    await migrateWith(projectDirectory, ownerURL)
    await decideMoreOrders()
    await roll(fleet, instanceNames, projectDirectory)
    await roll(fleet, instanceNames.toReversed(), old)
    await roll(fleet, instanceNames, projectDirectory)
  }

  try {
    const load = { seed: Math.floor(Math.random() * 1_000_000), durationMs: 240_000, requestsPerSecond: 20 }
    note(`seed ${load.seed}`)
    const topology = { instances, brokers: 1 }
    const history = await run(
      { ...load, topology, directory: old, disturb: upgradeTwice },
      { supervisor, directories, servers, signal: t.signal, note }
    )
    const violations = check(history).flatMap(verdict => verdict.violations.map(({ summary }) => summary))
    assert.deepEqual(violations, [])
    const { agrees, counts } = await crossCheck(history, servers)
    assert.ok(agrees, JSON.stringify(counts))
    assert.deepEqual(failuresOf(history), [])
    const ends = history.incarnations.map(({ instance, exit }) => `${instance} ${exit?.code}`)
    const clean = instanceNames.flatMap(name => Array(4).fill(`${name} 0`))
    assert.deepEqual(ends.toSorted(), clean.toSorted(), 'every process ends when it is told to, with exit code 0')
  } catch (error) {
    await cp(directories.logs, join(orderlyDirectory, 'upgrade-logs'), { recursive: true, force: true })
    note(`logs: ${join(orderlyDirectory, 'upgrade-logs')}`)
    throw error
  }
})

/**
 * Returns the reasons of unknown results, except those that clients expect: a response that asks for
 * a later repetition, a repetition while the first attempt is in flight, and their own impatience.
 */
function failuresOf({ requests, changeRequests }: History): string[] {
  const expected = /^(status (404|409|503) with Retry-After|another attempt is in flight)$/
  const patient = requests.filter(({ patienceMs }) => patienceMs > 1_000)
  return [...patient, ...changeRequests].flatMap(({ result }) =>
    result.kind === 'unknown' && !expected.test(result.reason) ? [result.reason] : []
  )
}
