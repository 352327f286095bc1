import type { ServerName } from '../external-servers.ts'
import { type ExtraPort, type Extras, extraNames, portsOfExtras } from '../extras.ts'
import { freePorts } from '../processes/ports.ts'
import type { ServerPorts } from '../servers.ts'
import { type ServiceName, services } from '../services.ts'
import { UserError } from '../user-error.ts'
import type { PortUse } from './preflight.ts'

type PortName = keyof ServerPorts | ServiceName | ExtraPort

const usualServerPorts: ServerPorts = { kafka: 9092, kafkaController: 9093, postgres: 54320, registry: 8085 }
const serverOf: Record<keyof ServerPorts, ServerName> = {
  kafka: 'kafka',
  kafkaController: 'kafka',
  postgres: 'postgres',
  registry: 'registry'
}
const usualExtraPorts: Record<ExtraPort, number> = {
  connect: 8084,
  kafkaMetrics: 9404,
  connectMetrics: 9405,
  monitor: 8086,
  prometheus: 9090,
  alertmanager: 9094
}

const usual = {
  ...usualServerPorts,
  ...Object.fromEntries(services.map(({ name, usualPort }) => [name, usualPort])),
  ...usualExtraPorts
} as Record<PortName, number>
export const portNames = Object.keys(usual) as PortName[]

/**
 * Returns the port of every component: its own setting (`ORDERLY_KAFKA_PORT`, `ORDERLY_ORDER_PORT`, …),
 * or else a port counted from `ORDERLY_PORT_BASE`, or else its default.
 */
export function usualPorts(environment: NodeJS.ProcessEnv): Record<PortName, number> {
  const base = portOf('ORDERLY_PORT_BASE', environment, 65_536 - portNames.length)
  const entries = portNames.map((name, index) => {
    const otherwise = base === undefined ? usual[name] : base + index
    return [name, portOf(settingOf(name), environment) ?? otherwise]
  })
  return Object.fromEntries(entries) as Record<PortName, number>
}

/** Returns a free port for every component, except for ports set in the environment. */
export async function freeOrChosenPorts(environment: NodeJS.ProcessEnv): Promise<Record<PortName, number>> {
  const free = await freePorts(portNames)
  const chosen = portNames.map(name => [name, portOf(settingOf(name), environment) ?? free[name]])
  return Object.fromEntries(chosen) as Record<PortName, number>
}

/** Returns the ports that this run will use, with the name of their component and setting. */
export function portUses(
  ports: Record<PortName, number>,
  externals: ReadonlyMap<ServerName, string>,
  extras: Extras = new Set()
): PortUse[] {
  const off = extraNames.filter(name => !extras.has(name)).flatMap((name): readonly string[] => portsOfExtras[name])
  return (Object.entries(ports) as [PortName, number][])
    .filter(
      ([name]) => !off.includes(name) && !(name in serverOf && externals.has(serverOf[name as keyof ServerPorts]))
    )
    .map(([name, port]) => ({ component: wordsOf(name), port, setting: settingOf(name) }))
}

function portOf(setting: string, environment: NodeJS.ProcessEnv, highest = 65_535): number | undefined {
  const text = environment[setting]?.trim()
  if (!text) return undefined
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port <= highest) return port
  throw new UserError(`${setting} is "${text}": set it to a port, an integer from 1 to ${highest}.`)
}

function settingOf(name: PortName): string {
  return `ORDERLY_${name.replace(/[A-Z]/, deadLetter => `_${deadLetter}`).toUpperCase()}_PORT`
}

function wordsOf(name: PortName): string {
  const words: Partial<Record<PortName, string>> = {
    kafkaController: "kafka's controller",
    kafkaMetrics: 'the agent of the broker metrics',
    connectMetrics: "the agent of Kafka Connect's metrics"
  }
  return words[name] ?? name
}
