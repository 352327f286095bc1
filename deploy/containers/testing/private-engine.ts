/**
 * A container engine of one run, for machines where none runs. Containers have no access to other
 * networks, so it needs no rules of iptables and no forwarding. Only its images stay.
 */
import { execFile } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { type Supervisor, waitUntil } from '@orderly/launcher'
import { docker, type Engine, findCompose } from './docker.ts'

const run = promisify(execFile)
/** Debian packages, with a program of each. `iptables` connects containers to their name server. */
const packages = {
  'docker.io': '/usr/sbin/dockerd',
  iptables: '/usr/sbin/iptables',
  debootstrap: '/usr/sbin/debootstrap',
  iproute2: '/bin/ip'
}
/** Prefix of the folders of engines. */
const homes = '/run/orderly-'
/** Folders that engines create besides the configured ones. */
const sharedFolders = ['/run/docker', '/run/containerd', '/etc/docker']

export interface PrivateEngine extends Engine {
  /** Name of the bridge for the containers' network. */
  readonly bridge: string
  /** Stops the engine and removes its mounts, processes, bridge, control groups and folders. */
  remove(): Promise<void>
}

/**
 * Installs the engine where that is possible without starting a service.
 * @returns a sentence about what is missing; undefined if nothing is
 */
export async function installEngine(): Promise<string | undefined> {
  const absent = () => Object.entries(packages).flatMap(([name, program]) => (existsSync(program) ? [] : [name]))
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    return 'No container engine answers, and starting a private one needs root on Linux: start Docker.'
  }
  const missing = absent()
  if (missing.length === 0) return undefined
  // Packages start services on a system with systemd.
  if (!existsSync('/usr/bin/apt-get') || existsSync('/run/systemd/system')) {
    return `No container engine answers, and these Debian packages are missing: ${missing.join(', ')}. Install them, or start Docker.`
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  await run('apt-get', ['install', '--yes', '--no-install-recommends', ...missing], { env, maxBuffer: 50_000_000 })
  return undefined
}

/**
 * Starts an engine with its own files, socket and control groups, and without a default bridge.
 * @param dataRoot folder of its images; no other engine may use it
 */
export async function startPrivateEngine(supervisor: Supervisor, dataRoot: string): Promise<PrivateEngine> {
  for (const killed of globSync(`${homes}*`).filter(path => !isRunning(path))) await removeRemains(killed, dataRoot)
  const home = mkdtempSync(homes)
  const { name, bridge } = namesOf(home)
  const before = new Set([...sharedFolders, ...cgroups('docker')].filter(path => existsSync(path)))
  const configuration = join(home, 'daemon.json')
  await writeFile(configuration, '{}')
  const socket = `unix://${join(home, 'docker.sock')}`
  const daemon = supervisor.start({
    name: 'dockerd',
    command: '/usr/sbin/dockerd',
    args: [
      ...[`--config-file=${configuration}`, `--data-root=${dataRoot}`, execRootOf(home)],
      ...[`--host=${socket}`, `--pidfile=${join(dataRoot, 'docker.pid')}`, `--cgroup-parent=/${name}`],
      ...['--bridge=none', '--iptables=false', '--ip-forward=false', '--shutdown-timeout=5', '--log-level=warn']
    ],
    passesStopSignal: true,
    stopDeadlineMs: 60_000
  })
  const environment = { DOCKER_HOST: socket, DOCKER_CONFIG: home, DOCKER_BUILDKIT: '1' }
  async function remove() {
    await daemon.stop().catch(() => {})
    await removeRemains(home, dataRoot)
    for (const path of cgroups('docker').filter(path => !before.has(path))) removeCgroup(path)
    for (const path of sharedFolders.filter(path => !before.has(path))) {
      rmSync(path, { recursive: true, force: true })
    }
  }
  try {
    const engine = { isPrivate: true, environment, compose: await findCompose(), bridge, remove }
    const answers = () => docker(engine, ['version']).then(() => true)
    const ended = daemon.exited.then(async () => {
      throw new Error(`The container engine ended:\n${await daemon.lastLines()}`)
    })
    ended.catch(() => {})
    await Promise.race([waitUntil(answers, { what: 'the container engine', deadlineMs: 120_000 }), ended])
    return engine
  } catch (error) {
    await remove()
    throw error
  }
}

const execRootOf = (home: string) => `--exec-root=${join(home, 'exec')}`
const isRunning = (home: string) => processesNaming(execRootOf(home)).length > 0

/** Returns the names of an engine's control group and bridge. */
function namesOf(home: string): { readonly name: string; readonly bridge: string } {
  const name = basename(home)
  return { name, bridge: name.toLowerCase() }
}

/** Removes what an engine that has ended leaves: containers and their processes, mounts, bridge and control groups. */
async function removeRemains(home: string, dataRoot: string): Promise<void> {
  const { name, bridge } = namesOf(home)
  const isGone = () => {
    const left = processesNaming(home)
    for (const pid of left) process.kill(pid, 'SIGKILL')
    return left.length === 0
  }
  await waitUntil(isGone, { what: 'the processes of the engine to end', deadlineMs: 30_000 })
  for (const pid of cgroups(name).flatMap(processesIn)) process.kill(pid, 'SIGKILL')
  for (const path of mountsBelow([home, dataRoot])) await run('umount', ['--lazy', path])
  if (existsSync(`/sys/class/net/${bridge}`)) await run('ip', ['link', 'delete', bridge])
  const isRemoved = () => {
    for (const path of cgroups(name)) removeCgroup(path)
    return true
  }
  await waitUntil(isRemoved, { what: 'the processes of the containers to end', deadlineMs: 30_000 })
  // Only images are kept.
  for (const folder of ['containers', 'volumes', 'network']) {
    rmSync(join(dataRoot, folder), { recursive: true, force: true })
  }
  rmSync(home, { recursive: true, force: true })
}

/** Returns the processes that have a path in their arguments; it is unique to this run. */
function processesNaming(path: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path)
      } catch {
        // The process has ended.
        return false
      }
    })
}

function mountsBelow(roots: readonly string[]): string[] {
  const paths = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' ')[1] ?? '')
  return paths.filter(path => roots.some(root => path === root || path.startsWith(`${root}/`))).toReversed()
}

/** Returns the control groups with a name: one, or one for each controller. */
const cgroups = (name: string) => globSync([`/sys/fs/cgroup/${name}`, `/sys/fs/cgroup/*/${name}`])

/** Returns the processes in a control group and in those below it. */
function processesIn(path: string): number[] {
  const own = readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
  return [...own, ...groupsIn(path).flatMap(processesIn)]
}

const groupsIn = (path: string) =>
  readdirSync(path, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => join(path, name))

/** Removes an empty control group and those in it. */
function removeCgroup(path: string): void {
  for (const group of groupsIn(path)) removeCgroup(group)
  rmdirSync(path)
}
