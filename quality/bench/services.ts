import { join } from 'node:path'
import { freePort, loopback, mainFile, type ServiceName, type SupervisedProcess, waitUntil } from '@orderly/launcher'
import { ownerRole } from '@orderly/postgres'
import { nodeSettings } from './ours/node-settings.ts'
import type { BenchServers } from './servers.ts'

export interface RunningService {
  readonly url: string
  readonly child: SupervisedProcess
  /** File of the diagnostic report that Node writes on SIGUSR2. */
  readonly reportFile: string
  stop(): Promise<unknown>
}

export interface ServiceStart {
  readonly service: ServiceName
  /** Name of the log file. */
  readonly label?: string
  readonly env?: NodeJS.ProcessEnv
  readonly nodeArguments?: readonly string[]
}

/** Starts an unmodified service in a separate process; resolves when it is ready. */
export async function startService(
  servers: BenchServers,
  { service, label = service, env = {}, nodeArguments = [] }: ServiceStart
): Promise<RunningService> {
  const port = await freePort()
  const report = `${label}-${port}.report.json`
  const reportSettings = ['--report-on-signal', `--report-filename=${report}`, '--report-exclude-network']
  const child = servers.supervisor.start({
    name: label,
    tier: 'service',
    command: process.execPath,
    args: [...nodeSettings, ...reportSettings, ...nodeArguments, mainFile(service)],
    cwd: servers.logs,
    env: {
      ...process.env,
      KAFKA_BROKERS: servers.broker,
      SCHEMA_REGISTRY_URL: servers.registryURL,
      LOG_LEVEL: 'error',
      ...env,
      ...(env.DATABASE_URL?.includes(`//${ownerRole}:`) && {
        DATABASE_URL: servers.databaseURLAs(`orderly_${service}`, env.DATABASE_URL)
      }),
      HTTP_PORT: String(port)
    }
  })
  const url = `http://${loopback}:${port}`
  const isReady = async () => {
    if (!child.isRunning()) throw new Error(`${label} has exited`)
    return (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) })).ok
  }
  await waitUntil(isReady, { what: `${label} to be ready (see its log: ${child.logFile})`, deadlineMs: 60_000 })
  return { url, child, reportFile: join(servers.logs, report), stop: () => child.stop() }
}
