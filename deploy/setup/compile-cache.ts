/**
 * Fills Node's compile cache (`NODE_COMPILE_CACHE`) with every module of the services, with the
 * types stripped: docs/decisions/0045-ship-a-compile-cache-in-the-image.md. Each program runs only
 * until its modules are loaded: services stop because settings are missing, and the worker of
 * `order` because it is not in a thread. A cache is valid for one user and one set of V8 flags, so
 * this program must run as the user and with the flags of the services.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
const { NODE_COMPILE_CACHE } = process.env
if (NODE_COMPILE_CACHE === undefined)
  throw new Error('NODE_COMPILE_CACHE is not set: set it to the folder of the cache')

const programs = [
  ...globSync('services/*/main.ts', { cwd: root }).map(file => ({ file, error: 'KAFKA_BROKERS' })),
  { file: 'services/order/projection/projection-worker.ts', error: 'this file is run as a thread' }
]
for (const { file, error } of programs) {
  const { stderr } = spawnSync(process.execPath, [...process.execArgv, file], {
    cwd: root,
    env: { NODE_COMPILE_CACHE, ORDERLY_PROFILE: 'prod' },
    encoding: 'utf8'
  })
  if (!stderr.includes(error))
    throw new Error(`${file} must load its modules and then fail with "${error}", but its output was:\n${stderr}`)
}
