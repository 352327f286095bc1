import { projectDirectory } from '../directories.ts'
import { loopback } from '../processes/ports.ts'
import type { Supervisor } from '../processes/supervisor.ts'
import { launcherProfile, mainFile, type ServiceDescription } from '../services.ts'
import type { RunningComponent } from './component.ts'
import { whenReady } from './http-component.ts'

export interface ServiceOptions {
  readonly supervisor: Supervisor
  readonly service: ServiceDescription
  readonly port: number
  readonly env: NodeJS.ProcessEnv
  /** Restarts the service when one of its files changes. */
  readonly watch?: boolean
}

/**
 * Half of the young generation of the images: saves about 13 MB per process on a machine that runs
 * them all.
 */
const smallHeap = '--max-semi-space-size=8'

/** Starts a service in a separate process. Resolves when it is ready. */
export async function startService({
  supervisor,
  service,
  port,
  env,
  watch
}: ServiceOptions): Promise<RunningComponent> {
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
