import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { projectDirectory } from '../directories.ts'
import type { Java } from '../preflight/java.ts'
import { makePrivateDirectory } from '../private-directory.ts'
import { loopback } from '../processes/ports.ts'
import type { ProcessSpec, SupervisedProcess, Supervisor } from '../processes/supervisor.ts'
import { type Jars, jarsHome, jmxAgentJars } from './jars.ts'

/**
 * Flags for little memory and a quick start rather than high throughput: everything runs on a
 * developer's machine.
 */
const smallJVM = ['-XX:+UseSerialGC', '-Xss512k', '-XX:+ExitOnOutOfMemoryError']

export interface JavaProcessSpec extends Omit<ProcessSpec, 'command'> {
  readonly java: Java
  readonly jars: Jars
  /** Private data directory of the server; its temporary files are created there, too. */
  readonly cwd: string
  /** Agent of the JVM. No class archive is written with an agent, because it may change classes. */
  readonly agent?: string | undefined
}

/**
 * Starts a server that maps an archive of its parsed classes (JEP 350), which halves its start
 * time. The first run of a component writes the archive when it ends. The archive is renamed once it is
 * complete, because two runs may end concurrently.
 */
export function startJavaServer(supervisor: Supervisor, given: JavaProcessSpec): SupervisedProcess {
  // Libraries create files and caches in the system's temporary directory that other users can read
  // or write.
  const temporary = join(given.cwd, 'tmp')
  makePrivateDirectory(temporary)
  const agent = given.agent === undefined ? [] : [`-javaagent:${given.agent}`]
  const spec = { ...given, args: [...agent, `-Djava.io.tmpdir=${temporary}`, ...given.args] }
  const archived = archivedClasses(spec)
  if (archived.length > 0) return startJava(supervisor, { ...spec, args: [...archived, ...spec.args] })
  if (spec.agent !== undefined || !canBeArchived(jarsHome(spec.jars))) return startJava(supervisor, spec)
  const archive = archiveOf(spec)
  const unfinished = `${archive}.${process.pid}-${spec.name}`
  const child = startJava(supervisor, { ...spec, args: [`-XX:ArchiveClassesAtExit=${unfinished}`, ...spec.args] })
  child.exited
    .then(({ signal }) => (signal === 'SIGKILL' ? rm(unfinished, { force: true }) : rename(unfinished, archive)))
    .catch(() => {})
  return child
}

/**
 * Returns the JVM flags for a program with the same jars to use the server's archive, if it exists.
 */
export function archivedClasses(of: Pick<JavaProcessSpec, 'jars' | 'java'>): string[] {
  const archive = archiveOf(of)
  return existsSync(archive) && canBeArchived(archive) ? [`-XX:SharedArchiveFile=${archive}`] : []
}

/**
 * Returns false for a path with `!`. In the location of an archived class, Java reads it as the
 * separator of an entry in a jar, and the registry then does not find its files.
 */
export function canBeArchived(path: string): boolean {
  return !path.includes('!')
}

function archiveOf({ jars, java }: Pick<JavaProcessSpec, 'jars' | 'java'>): string {
  return `${jarsHome(jars)}-java-${java.version}.jsa`
}

function startJava(supervisor: Supervisor, spec: JavaProcessSpec): SupervisedProcess {
  return supervisor.start(javaCommand(spec.java, spec))
}

/** Returns the process specification of a Java program. */
export function javaCommand(java: Java, spec: Omit<ProcessSpec, 'command'>): ProcessSpec {
  return {
    stopDeadlineMs: 20_000,
    ...spec,
    // Java decodes paths by the locale; with `C` it reads ASCII only.
    env: { ...(spec.env ?? process.env), LC_ALL: 'C.UTF-8' },
    command: join(java.home, 'bin', 'java'),
    args: ['-Xlog:disable', '-Xlog:all=error:stderr', ...smallJVM, ...spec.args]
  }
}

/**
 * Returns the agent that exports a process's metrics by `deploy/<component>/jmx.yml`; undefined without
 * a port.
 * @param workingDirectory of the process: the JVM ends an agent's path at its first "=", so the
 * path must be relative
 */
export function metricsAgent(
  port: number | undefined,
  component: 'kafka' | 'connect',
  workingDirectory: string
): string | undefined {
  if (port === undefined) return undefined
  const jar = join(relative(workingDirectory, jarsHome(jmxAgentJars)), jmxAgentJars.mainFile)
  return `${jar}=${loopback}:${port}:${join(projectDirectory, 'deploy', component, 'jmx.yml')}`
}
