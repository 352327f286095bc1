import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { registryJars } from '../components/jars.ts'
import { startRegistry } from '../components/registry.ts'
import { freePort } from '../processes/ports.ts'
import { javaWith } from '../servers.ts'
import { superviseRun } from './supervised-run.ts'

/** A separate schema registry for one test. */
export interface TestRegistry {
  /** Base address of the Confluent-compatible API. */
  readonly url: string
  /** Stops it, deletes all its data, and starts it again at the same address. */
  empty(): Promise<void>
}

export async function startTestRegistry(t: TestContext): Promise<TestRegistry> {
  const { directories, supervisor } = superviseRun(t, 'test')
  const dataDirectory = join(directories.data, 'registry')
  const java = await javaWith([registryJars], supervisor, () => {})
  const options = { supervisor, java, dataDirectory, port: await freePort() }
  let running = await startRegistry(options)
  return {
    url: running.address,
    async empty() {
      await running.stop()
      await rm(dataDirectory, { recursive: true })
      running = await startRegistry(options)
    }
  }
}
