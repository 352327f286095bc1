import { execFile, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { waitUntil } from '@orderly/launcher'
import { composeDirectory, services } from '../../testing/compose.ts'
import { compose, docker, dockerProgram, type Engine } from './docker.ts'

/** Variable with the project, as JSON, for the process of the tests. */
export const projectVariable = 'ORDERLY_CONTAINERS_TEST'
export const composeFile = `${composeDirectory}/compose.yaml`

/** A project of Compose on an engine. */
export interface Project {
  readonly engine: Engine
  readonly name: string
  /** Arguments of Compose that select the project. */
  readonly files: readonly string[]
  /** Images that could not be had. Their services are left out. */
  readonly unavailable: readonly string[]
}

/** State of a container, as the engine reports it. */
export interface Container {
  readonly Id: string
  readonly RestartCount: number
  readonly State: {
    readonly Status: string
    readonly Pid: number
    readonly ExitCode: number
    readonly OOMKilled: boolean
    readonly StartedAt: string
    readonly Health?: { readonly Status: string }
  }
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean
    readonly Memory: number
    readonly NanoCpus: number
    readonly LogConfig: { readonly Config: Readonly<Record<string, string>> }
  }
  readonly Config: { readonly Labels: Readonly<Record<string, string>> }
}

/**
 * Returns a compose file for tests: free ports, without the services whose image cannot be had, and
 * with a named bridge.
 */
export function overrides({
  unavailable,
  bridge
}: {
  readonly unavailable: readonly string[]
  readonly bridge: string | undefined
}): string {
  const changes = Object.entries(services).flatMap(([name, { image, ports }]) => {
    if (unavailable.includes(image)) return [`  ${name}: { profiles: !override [unavailable] }`]
    if (ports === undefined) return []
    const free = ports.map(port => `'127.0.0.1::${port.split(':').at(-1)}'`)
    return [`  ${name}: { ports: !override [${free.join(', ')}] }`]
  })
  const network = `networks: { orderly: { driver_opts: { com.docker.network.bridge.name: ${bridge} } } }`
  return ['services:', ...changes, ...(bridge === undefined ? [] : [network]), ''].join('\n')
}

/**
 * Creates a client of the project.
 * @param environment variables for the compose file
 */
export function openProject({ engine, files, name }: Project, environment: Readonly<Record<string, string>> = {}) {
  const call = (args: readonly string[], profiles: string) =>
    compose(engine, [...files, ...args], { env: { ...environment, COMPOSE_PROFILES: profiles } })
  const inspectAll = async (): Promise<Container[]> => {
    const ids = await docker(engine, ['ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${name}`])
    return JSON.parse(await docker(engine, ['container', 'inspect', ...ids.split('\n').filter(Boolean)]))
  }
  const inspect = async (service: string): Promise<Container> => {
    const found = (await inspectAll()).find(container => serviceOf(container) === service)
    if (found === undefined) throw new Error(`${service} has no container`)
    return found
  }
  const exec = async (service: string, ...command: string[]) =>
    docker(engine, ['exec', (await inspect(service)).Id, ...command])
  return {
    engine,
    inspectAll,
    inspect,
    exec,
    compose: call,
    docker: (...args: string[]) => docker(engine, args),
    /** Starts everything and waits until it is healthy. @returns seconds until each service was healthy */
    async up(profiles: string): Promise<Record<string, number>> {
      const health = watchHealth(engine, name)
      try {
        await call(['up', '--detach', '--no-build', '--wait', '--wait-timeout', '900'], profiles).catch(async error => {
          throw new Error(`${error.message}\n${await call(['logs', '--tail', '15'], profiles)}`)
        })
        return health.secondsOf(await inspectAll())
      } finally {
        health.stop()
      }
    },
    /** Removes containers and networks. */
    down: () => call(['down'], '*'),
    /** Removes volumes, too. */
    remove: () => call(['down', '--volumes'], '*'),
    async addressOf(service: string, port: number): Promise<string> {
      return `http://${(await call(['port', service, String(port)], '*')).trim()}`
    },
    async query(sql: string): Promise<string> {
      const shell =
        'PGPASSWORD="$(cat /run/secrets/orderly/password)" psql -h 127.0.0.1 -U postgres -d orderly -Atc "$0"'
      return (await exec('postgres', 'sh', '-c', shell, sql)).trim()
    },
    /** Kills the main process of a container, and waits until its replacement is healthy. */
    async killAndWait(service: string): Promise<void> {
      const before = await inspect(service)
      await kill(before)
      const isBack = async () => {
        const { RestartCount, State } = await inspect(service)
        return RestartCount > before.RestartCount && State.Status === 'running' && State.Health?.Status === 'healthy'
      }
      await waitUntil(isBack, { what: `${service} to restart`, deadlineMs: 300_000, intervalMs: 1_000 })
    }
  }
}

export type OpenProject = ReturnType<typeof openProject>

/** Returns the service of a container. */
export const serviceOf = ({ Config }: Container): string => Config.Labels['com.docker.compose.service'] ?? ''

/** Returns the project that was passed to this process. */
export function givenProject(): Project | undefined {
  const json = process.env[projectVariable]
  return json === undefined ? undefined : JSON.parse(json)
}

/** Kills the main process of a container, which may belong to any user. */
async function kill({ Id, State }: Container): Promise<void> {
  const pid = String(State.Pid)
  const group = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  if (!group.includes(Id)) throw new Error('The engine must run on this machine: the test kills its containers.')
  // `docker kill` would count as a stop by the operator, after which the engine restarts nothing.
  const [program, ...args] = process.getuid?.() === 0 ? ['kill', '-9'] : ['sudo', '-n', 'kill', '-9']
  await promisify(execFile)(program as string, [...args, pid])
}

interface HealthWatch {
  /** Returns the seconds between the start of each container and its first healthy state. */
  secondsOf(containers: readonly Container[]): Record<string, number>
  stop(): void
}

/** Records when containers become healthy. */
function watchHealth(engine: Engine, name: string): HealthWatch {
  const filters = [`label=com.docker.compose.project=${name}`, 'event=health_status']
  const format = '{{.ID}} {{.TimeNano}} {{.Status}}'
  const watching = spawn(
    dockerProgram(),
    ['events', '--format', format, ...filters.flatMap(each => ['--filter', each])],
    {
      env: { ...process.env, ...engine.environment },
      stdio: ['ignore', 'pipe', 'ignore']
    }
  )
  const healthyAt = new Map<string, number>()
  createInterface(watching.stdout).on('line', line => {
    const [id = '', nanoseconds, ...status] = line.split(' ')
    if (status.join(' ') === 'health_status: healthy' && !healthyAt.has(id))
      healthyAt.set(id, Number(nanoseconds) / 1e6)
  })
  return {
    stop: () => watching.kill(),
    secondsOf: containers =>
      Object.fromEntries(
        containers.flatMap(container => {
          const at = healthyAt.get(container.Id)
          return at === undefined ? [] : [[serviceOf(container), (at - Date.parse(container.State.StartedAt)) / 1_000]]
        })
      )
  }
}
