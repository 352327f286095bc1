import { projectDirectory } from '../directories.ts'
import { loopback } from '../processes/ports.ts'
import type { Supervisor } from '../processes/supervisor.ts'
import { launcherProfile, mainFile, type ServiceDescription } from '../services.ts'
import { whenReady } from './http-part.ts'
import type { RunningPart } from './part.ts'

export interface ServiceOptions {
  readonly supervisor: Supervisor
  readonly service: ServiceDescription
  readonly port: number
  readonly env: NodeJS.ProcessEnv
  /** Starts it anew whenever one of its files changes. */
  readonly watch?: boolean
}

/** Half of the young generation that the images have: some 13 MB less for each process, on a machine that runs them all. */
const smallHeap = '--max-semi-space-size=8'

/** A service as a process of its own. Resolves when it says that it is ready. */
export async function startService({ supervisor, service, port, env, watch }: ServiceOptions): Promise<RunningPart> {
  const startedAt = performance.now()
  const child = supervisor.start({
    name: service.name,
    tier: 'service',
    command: process.execPath,
    args: [smallHeap, ...(watch ? ['--watch', '--watch-preserve-output'] : []), mainFile(service.name)],
    cwd: projectDirectory,
    passesStopSignal: watch === true,
    env: { ORDERLY_PROFILE: launcherProfile, ...service.env, ...env, HTTP_PORT: String(port) }
  })
  const address = `http://${loopback}:${port}`
  return whenReady({ name: service.name, address, child, readyPath: '/health/ready', startedAt })
}
