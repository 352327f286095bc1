import { statfs } from 'node:fs/promises'
import {
  areFetched,
  connectJarSets,
  type Jars,
  jmxAgentJars,
  kafkaJars,
  kafkaZookeeperJars,
  registryJars
} from '../components/jars.ts'
import { projectDirectory } from '../directories.ts'
import type { ServerName } from '../external-servers.ts'
import type { Extras } from '../extras.ts'
import { isPortFree, loopback } from '../processes/ports.ts'
import type { KafkaMode } from '../servers.ts'
import { UserError } from '../user-error.ts'
import { chooseJava, findJavas } from './java.ts'
import { requireProgram } from './programs.ts'

export interface PortUse {
  readonly component: string
  readonly port: number
  /** Setting that changes the port. */
  readonly setting: string
}

export interface PreflightOptions {
  readonly directory: string
  readonly externals: ReadonlyMap<ServerName, string>
  readonly ports: readonly PortUse[]
  readonly extras?: Extras
  readonly kafkaMode?: KafkaMode
}

/**
 * Checks, before anything starts, for problems that would interrupt the start.
 * @throws UserError with the first problem
 */
export async function preflight({ directory, externals, ports, extras, kafkaMode }: PreflightOptions): Promise<void> {
  refuseImpossiblePath(projectDirectory)
  const needed = neededJars(externals, extras, kafkaMode)
  const missing = needed.filter(jars => !areFetched(jars))
  if (needed.length > 0) chooseJava(findJavas())
  refuseFullDisk(await freeMB(directory), missing)
  if (extras?.has('monitoring') === true)
    for (const name of ['prometheus', 'alertmanager'] as const) requireProgram(name)
  await refuseTakenPorts(ports)
}

/**
 * Checks a path.
 * @throws UserError for a character that cannot be part of an entry of Java's class path, or that the
 *   shell with which `initdb` finds Postgres would interpret
 */
export function refuseImpossiblePath(directory: string): void {
  const interpreted = /[$`"]/.exec(directory)?.[0]
  if (interpreted !== undefined)
    throw new UserError(
      `The path of this checkout contains ${interpreted}, which the shell interprets when Postgres creates its data: move it to a path without that character.`
    )
  const found = /[:;\n\r]|!(?=[/\\])|!$/.exec(directory)?.[0]
  if (found === undefined) return
  const what = found === '!' ? 'a folder whose name ends with "!"' : JSON.stringify(found)
  const separated = found === '!' ? 'a jar from its entries' : "entries of Java's class path"
  throw new UserError(
    `The path of this checkout contains ${what}, which separates ${separated}: move it to a path without that character.`
  )
}

function neededJars(
  externals: ReadonlyMap<ServerName, string>,
  extras: Extras = new Set(),
  kafkaMode?: KafkaMode
): Jars[] {
  return [
    ...(externals.has('kafka') ? [] : [kafkaMode === 'zookeeper' ? kafkaZookeeperJars : kafkaJars]),
    ...(externals.has('registry') ? [] : [registryJars]),
    ...(extras.has('connect') ? connectJarSets : []),
    ...(extras.has('monitoring') && (extras.has('connect') || !externals.has('kafka')) ? [jmxAgentJars] : [])
  ]
}

/**
 * Checks that ports are free.
 * @throws UserError that names every port that is taken or assigned to two components
 */
async function refuseTakenPorts(uses: readonly PortUse[]): Promise<void> {
  const problems: string[] = []
  for (const [index, { component, port, setting }] of uses.entries()) {
    const other = uses.slice(0, index).find(use => use.port === port)
    if (other !== undefined) {
      problems.push(
        `Port ${port} is assigned to ${other.component} (${other.setting}) and to ${component} (${setting}).`
      )
    } else if (!(await isPortFree(port)))
      problems.push(`Port ${port} of ${loopback} is in use, needed for ${component} (${setting}).`)
  }
  if (problems.length === 0) return
  throw new UserError(
    `${problems.join('\n')}\nStop the programs that use these ports, set other ports in the variables named above or all of them with ORDERLY_PORT_BASE=<port>, or choose free ports: npm start -- --free-ports`
  )
}

/** Size of the initial data of Kafka, Postgres and the registry. */
const dataMB = 300

export function refuseFullDisk(availableMB: number, missing: readonly Jars[]): void {
  const neededMB = dataMB + missing.reduce((sum, jars) => sum + jars.diskMB, 0)
  if (availableMB >= neededMB) return
  throw new UserError(
    `Only ${Math.floor(availableMB)} MB are free on the disk of this project and ${neededMB} MB are needed: free some, or delete old data with \`npm run reset\`.`
  )
}

async function freeMB(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return (bavail * bsize) / 1024 / 1024
}
