import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { orderlyDirectory } from '../directories.ts'
import { freePort, loopback } from '../processes/ports.ts'
import type { Supervisor } from '../processes/supervisor.ts'
import { waitUntilHealthy } from '../processes/wait.ts'

/**
 * Returns the path of the server that `npm run build:mongodb` builds from the sources in
 * `mongodb/`.
 */
export async function mongodbProgram(): Promise<string> {
  const hash = createHash('sha256')
  for (const name of ['go.mod', 'go.sum', 'main.go']) {
    hash.update(await readFile(join(import.meta.dirname, 'mongodb', name)))
  }
  return join(orderlyDirectory, 'tools', `mongodb-${hash.digest('hex').slice(0, 12)}`)
}

/** Starts the server and returns its URI. Skips the test if the server was not built. */
export async function startMongoDBOrSkip(
  test: TestContext,
  supervisor: Supervisor,
  directory: string
): Promise<string | undefined> {
  const program = await mongodbProgram()
  if (!existsSync(program)) {
    test.skip('no MongoDB-compatible server: run `npm run build:mongodb` (needs Go), then run this again')
    return undefined
  }
  await mkdir(directory, { recursive: true })
  const port = await freePort()
  const child = supervisor.start({ name: 'mongodb', command: program, args: [`${loopback}:${port}`, directory] })
  await waitUntilHealthy(child, () => accepts(port), 60_000)
  return `mongodb://${loopback}:${port}/`
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, loopback)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.end())
  })
}
