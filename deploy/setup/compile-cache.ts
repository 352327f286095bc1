/**
 * Has Node's compile cache (`NODE_COMPILE_CACHE`) hold every module of the services, with the types stripped:
 * docs/decisions/0045-ship-a-compile-cache-in-the-image.md. Each program runs no further than to where its modules are read:
 * services have no settings, and the second thread of `order` is no thread. A cache is for one user and one set of V8's flags, so this is run by the
 * user, and with the flags, that the services are run with.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
const { NODE_COMPILE_CACHE } = process.env
if (NODE_COMPILE_CACHE === undefined)
  throw new Error('NODE_COMPILE_CACHE is not set: set it to the folder of the cache')

const programs = [
  ...globSync('services/*/main.ts', { cwd: root }).map(file => ({ file, endsWith: 'KAFKA_BROKERS' })),
  { file: 'services/order/from-topics/projection-worker.ts', endsWith: 'this file is run as a thread' }
]
for (const { file, endsWith } of programs) {
  const { stderr } = spawnSync(process.execPath, [...process.execArgv, file], {
    cwd: root,
    env: { NODE_COMPILE_CACHE, ORDERLY_PROFILE: 'prod' },
    encoding: 'utf8'
  })
  if (!stderr.includes(endsWith)) throw new Error(`${file} does not get as far as to say "${endsWith}":\n${stderr}`)
}
