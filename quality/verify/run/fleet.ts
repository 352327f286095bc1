import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  freePort,
  loopback,
  mainFile,
  projectDirectory,
  type ServiceName,
  type SupervisedProcess,
  type Supervisor
} from '@orderly/launcher'
import { backoffMs } from '@orderly/retry'
import type { Incarnation } from '../history/history.ts'
import { environmentNames, orderFileOf, type PointOrder, parseJournal } from '../preload/journal.ts'

export interface FleetOptions {
  readonly supervisor: Supervisor
  readonly journals: string
  /** Prefix of log file names, since several runs may share a directory. */
  readonly label: string
  readonly env: NodeJS.ProcessEnv
  /** Returns additional environment variables of an instance. */
  readonly ownEnv: (service: ServiceName, instance: string) => NodeJS.ProcessEnv
  /** Name of the mutant that is planted in the services. */
  readonly mutant?: string | undefined
  /** Root of the code that instances start with; the working tree by default. */
  readonly directory?: string | undefined
  readonly note: (text: string) => void
}

export interface Running {
  readonly record: { -readonly [Field in keyof Incarnation]: Incarnation[Field] }
  readonly child: SupervisedProcess
  readonly url: string
  readonly journal: string
}

interface Instance {
  readonly service: ServiceName
  readonly name: string
  /** Root of the code of its next process. */
  directory: string
  isWanted: boolean
  /** True while clients must send it no more requests. */
  isDraining: boolean
  current: Running | undefined
  count: number
  failures: number
}

const shortestBackoffMs = 100
const longestBackoffMs = 2_000
/** Uptime after which a process counts as started and is restarted without a longer backoff. */
const startedWellMs = 8_000
/** Time in which a process still accepts requests before it stops, as `preStop` on Kubernetes. */
const drainMs = 5_000

/**
 * The running services, with a supervisor as in production: it runs a given number of instances of
 * each service and restarts every process that exits.
 *
 * An **instance** has a name (`inventory-2`) and a sequence of processes, its **incarnations**. An
 * instance is **wanted** (running or about to be restarted) or **not wanted**. A process that was
 * replaced while frozen is a **zombie**: it no longer belongs to an instance and must exit.
 */
export class Fleet {
  readonly #options: FleetOptions
  readonly #instances = new Map<string, Instance>()
  readonly #incarnations: Running[] = []
  #stopped = false

  constructor(options: FleetOptions) {
    this.#options = options
  }

  get incarnations(): readonly { readonly record: Incarnation; readonly journal: string; readonly logFile: string }[] {
    return this.#incarnations.map(({ record, journal, child }) => ({ record, journal, logFile: child.logFile }))
  }

  /** Returns the base URLs of the running processes of a service that accept requests. */
  urlsOf(service: string): string[] {
    const own = [...this.#instances.values()].filter(instance => instance.service === service && !instance.isDraining)
    return own.flatMap(({ current }) => (current?.child.isRunning() ? [current.url] : []))
  }

  async start(service: ServiceName, index: number): Promise<void> {
    const name = `${service}-${index}`
    const instance = this.#instances.get(name) ?? {
      service,
      name,
      directory: this.#options.directory ?? projectDirectory,
      isWanted: true,
      isDraining: false,
      current: undefined,
      count: 0,
      failures: 0
    }
    this.#instances.set(name, instance)
    instance.isWanted = true
    if (instance.current === undefined) await this.#launch(instance)
  }

  /** Returns the lowest index that no wanted instance has. */
  freeIndexOf(service: string): number {
    for (let index = 1; ; index++) if (this.#instances.get(`${service}-${index}`)?.isWanted !== true) return index
  }

  kill(name: string): void {
    this.#current(name)?.child.signal('SIGKILL')
  }

  freeze(name: string): SupervisedProcess | undefined {
    const child = this.#current(name)?.child
    child?.signal('SIGSTOP')
    return child
  }

  /** Stops an instance gracefully, as a deployment does, and does not restart it. */
  async remove(name: string): Promise<void> {
    const instance = this.#instances.get(name)
    if (instance === undefined) return
    instance.isWanted = false
    await instance.current?.child.stop()
  }

  /**
   * Replaces the process of an instance by one with other code, as a rolling update does: clients
   * leave it, it stops gracefully, and clients return when the new process is ready.
   * @param directory root of the code
   */
  async update(name: string, directory: string, readyDeadlineMs: number): Promise<void> {
    const instance = this.#instances.get(name)
    if (instance === undefined) throw new Error(`unknown instance "${name}"`)
    instance.isDraining = true
    // The load has no requests to the other services.
    if (instance.service === 'order') await delay(drainMs)
    await this.remove(name)
    instance.directory = directory
    instance.isWanted = true
    await this.#launch(instance)
    const { current } = instance
    if (current === undefined || !(await this.#isReadyWithin(current, readyDeadlineMs)))
      throw new Error(`${name} is not ready after its update; see its log: ${current?.child.logFile}`)
    instance.isDraining = false
  }

  /**
   * Orders the process of an instance to kill or freeze itself at a failpoint.
   * @returns the process, or undefined if none is running
   */
  async order(name: string, order: PointOrder): Promise<Running | undefined> {
    const current = this.#current(name)
    if (current === undefined) return undefined
    await writeFile(`${current.journal}.new`, JSON.stringify(order))
    await rename(`${current.journal}.new`, orderFileOf(current.journal))
    return current
  }

  /** Withdraws the order, unless the process has executed it. */
  async withdraw({ journal }: Running): Promise<void> {
    await rm(orderFileOf(journal), { force: true })
  }

  /**
   * Freezes the process of an instance and starts a replacement.
   * @returns a function that resumes the zombie
   */
  async replace(name: string): Promise<(() => void) | undefined> {
    const instance = this.#instances.get(name)
    const zombie = instance?.current
    if (instance === undefined || zombie === undefined || !zombie.child.isRunning()) return undefined
    // A process that is still starting has not joined its group, so it may do so when it is
    // resumed.
    const hasPlace = await this.#isReadyWithin(zombie, 5_000)
    if (!zombie.child.isRunning() || instance.current !== zombie) return undefined
    zombie.child.signal('SIGSTOP')
    instance.current = undefined
    await this.#launch(instance)
    const successor = instance.current as Running | undefined
    const resume = () => {
      zombie.record.resumedAtMs ??= Date.now()
      zombie.child.signal('SIGCONT')
    }
    if (successor === undefined || !(await this.#isReadyWithin(successor, 20_000))) {
      resume()
      return undefined
    }
    if (hasPlace) zombie.record.replacedAtMs = Date.now()
    return resume
  }

  /**
   * Resolves to true at the failpoint, or to false if the process exited elsewhere or the deadline
   * passed.
   */
  async reachesFailpoint({ child, journal }: Running, deadlineMs: number): Promise<boolean> {
    const isThere = async () => {
      const lines = parseJournal(await readFile(journal, 'utf8').catch(() => ''))
      return lines.at(-1)?.signal !== undefined
    }
    for (const until = Date.now() + deadlineMs; Date.now() < until; ) {
      if (await isThere()) return true
      if (!child.isRunning()) return isThere()
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    return isThere()
  }

  resumeAll(): void {
    for (const { child } of this.#incarnations) if (child.isRunning()) child.signal('SIGCONT')
  }

  /**
   * Resolves when every wanted instance is ready.
   * @throws Error naming the first one that is not ready when `isTooLate` returns true
   */
  async allReady(isTooLate: () => boolean): Promise<void> {
    for (const instance of this.#instances.values()) {
      if (!instance.isWanted) continue
      let isReady = false
      while (!isReady && !isTooLate()) {
        isReady = instance.current !== undefined && (await this.#isReadyWithin(instance.current, 1_000))
      }
      if (!isReady)
        throw new Error(`${instance.name} is not ready in time; see its log: ${instance.current?.child.logFile}`)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const instance of this.#instances.values()) instance.isWanted = false
    this.resumeAll()
    await Promise.all(this.#incarnations.map(({ child }) => (child.isRunning() ? child.stop() : undefined)))
  }

  #current(name: string): Running | undefined {
    const current = this.#instances.get(name)?.current
    return current?.child.isRunning() ? current : undefined
  }

  async #launch(instance: Instance): Promise<void> {
    const { supervisor, journals, label, env, ownEnv, mutant } = this.#options
    const { service, name, directory } = instance
    const port = await freePort()
    if (this.#stopped || !instance.isWanted || instance.current?.child.isRunning()) return
    const fullName = `${label}${name}.${++instance.count}`
    const journal = join(journals, fullName)
    const imports = ['../preload/plant-mutant.ts', '../preload/watch-failpoints.ts'].map(file =>
      import.meta.resolve(file)
    )
    const child = supervisor.start({
      name: fullName,
      tier: 'service',
      command: process.execPath,
      args: [mainFile(service, directory)],
      cwd: directory,
      env: {
        ...env,
        ...ownEnv(service, name),
        HTTP_PORT: String(port),
        INSTANCE_ID: name.slice(service.length + 1),
        LOG_LEVEL: 'debug',
        NODE_OPTIONS: imports.map(url => `--import=${url}`).join(' '),
        [environmentNames.journal]: journal,
        ...(mutant !== undefined && { [environmentNames.mutant]: mutant })
      }
    })
    const record: Running['record'] = { service, instance: name, pid: child.pid, startedAtMs: Date.now() }
    const running = { record, child, url: `http://${loopback}:${port}`, journal }
    instance.current = running
    this.#incarnations.push(running)
    void child.exited.then(
      exit => this.#onExit(instance, running, exit),
      () => this.#onExit(instance, running, { code: null, signal: null })
    )
  }

  #onExit(instance: Instance, running: Running, exit: { code: number | null; signal: string | null }): void {
    running.record.endedAtMs = Date.now()
    running.record.exit = exit
    if (instance.current !== running) return
    instance.current = undefined
    if (this.#stopped || !instance.isWanted) return
    const ranWell = Date.now() - running.record.startedAtMs > startedWellMs || exit.signal === 'SIGKILL'
    instance.failures = ranWell ? 0 : instance.failures + 1
    if (exit.signal !== 'SIGKILL') {
      this.#options.note(`${instance.name} (${running.record.pid}) exited with code ${exit.code}`)
    }
    const backoff = { initialMs: shortestBackoffMs, maxMs: longestBackoffMs, jitter: 0 }
    setTimeout(
      () => {
        if (instance.current === undefined) this.#launch(instance).catch(error => this.#options.note(String(error)))
      },
      backoffMs(instance.failures + 1, backoff)
    )
  }

  async #isReadyWithin({ url, child }: Running, deadlineMs: number): Promise<boolean> {
    const until = Date.now() + deadlineMs
    while (Date.now() < until && child.isRunning()) {
      const isReady = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) }).then(
        ({ ok }) => ok,
        () => false
      )
      if (isReady) return true
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    return false
  }
}
