import { ConfigError } from './config-error.ts'
import type { LocalStack } from './local-stack.ts'

interface PortSetting {
  readonly name: string
  /** Number that the launcher adds to `ORDERLY_PORT_BASE`. */
  readonly index: number
  readonly address: (port: string) => string
}

const webAddress = (port: string) => `http://127.0.0.1:${port}`

/** Port settings of the launcher, by the address that each is part of. */
export const portSettings: Readonly<Record<string, PortSetting>> = {
  KAFKA_BROKERS: { name: 'ORDERLY_KAFKA_PORT', index: 0, address: port => `127.0.0.1:${port}` },
  SCHEMA_REGISTRY_URL: {
    name: 'ORDERLY_REGISTRY_PORT',
    index: 3,
    address: port => `${webAddress(port)}/apis/ccompat/v7`
  },
  INVENTORY_URL: { name: 'ORDERLY_INVENTORY_PORT', index: 5, address: webAddress },
  CONNECT_URL: { name: 'ORDERLY_CONNECT_PORT', index: 8, address: webAddress },
  PROMETHEUS_URL: { name: 'ORDERLY_PROMETHEUS_PORT', index: 12, address: webAddress }
}

/** The stack that the command uses. */
export interface ChosenStack {
  /** The environment with the addresses of the stack. */
  readonly environment: NodeJS.ProcessEnv
  /** Description for people; undefined if only the environment is used. */
  readonly description: string | undefined
  /**
   * Checks that the address is set, because a default port could belong to another checkout.
   * @throws ConfigError
   */
  requireAddress(setting: string): void
  /**
   * Checks that a database is the one of the running stack.
   * @param setting name of the setting that has its address
   * @throws ConfigError
   */
  requireDatabase(setting: string, url: string): void
}

/**
 * Chooses the stack: the one that runs in this checkout, or the one in the environment.
 * `ORDERLY_STACK=none` ignores the running stack.
 * @throws ConfigError if both exist and differ
 */
export function findStack(given: NodeJS.ProcessEnv, readStack: () => LocalStack | undefined): ChosenStack {
  const environment = { ...given }
  const base = Number(given.ORDERLY_PORT_BASE?.trim() || Number.NaN)
  for (const [setting, { name, index, address }] of Object.entries(portSettings)) {
    const port = given[name]?.trim() || (Number.isInteger(base) ? String(base + index) : undefined)
    if (!environment[setting]?.trim() && port) environment[setting] = address(port)
  }
  const usesEnvironmentAlone = given.ORDERLY_STACK === 'none' || given.ORDERLY_PROFILE === 'prod'
  const stack = usesEnvironmentAlone ? undefined : readStack()
  for (const [setting, address] of Object.entries(stack?.addresses ?? {})) {
    const own = environment[setting]?.trim()
    const known = withoutCredentials(address)
    if (own && withoutCredentials(own).replace(/\/$/, '') !== known)
      throw new ConfigError([disagreement(setting, withoutCredentials(own), known, sourceOf(given, setting))])
    environment[setting] = address
  }
  return {
    environment,
    description: stack && `stack of this checkout (process ${stack.pid}, Kafka ${stack.addresses.KAFKA_BROKERS})`,
    requireAddress(setting) {
      if (usesEnvironmentAlone || environment[setting]?.trim()) return
      throw new ConfigError([
        `${setting} is not set, and no stack runs in this checkout: start one with \`npm start\`, or set ${setting}.`
      ])
    },
    requireDatabase(setting, url) {
      const known = databaseOf(stack?.database)
      const own = databaseOf(url)
      if (known === undefined || own === undefined || own === known) return
      throw new ConfigError([
        given[setting]?.trim()
          ? disagreement(setting, own, known)
          : `${setting} is not set, and the stack that runs in this checkout uses ${known}: set ${setting} to that address with user and password.`
      ])
    }
  }
}

/**
 * Returns the address of a database without user, password and options; undefined if it is
 * malformed.
 */
function databaseOf(url: string | undefined): string | undefined {
  const parsed = URL.parse(url ?? '')
  if (parsed === null) return undefined
  const host = parsed.hostname === 'localhost' ? '127.0.0.1' : parsed.hostname
  return `postgres://${host}:${parsed.port || 5432}${parsed.pathname}`
}

function withoutCredentials(address: string): string {
  return address.replace(/^(\w+:\/\/)[^/@]*@/, '$1')
}

/** Returns the setting that an address comes from. */
function sourceOf(given: NodeJS.ProcessEnv, setting: string): string {
  const port = portSettings[setting]?.name ?? ''
  return [setting, port].find(name => given[name]?.trim()) ?? 'ORDERLY_PORT_BASE'
}

function disagreement(setting: string, own: string, address: string, source = setting): string {
  const origin = source === setting ? '' : ` (by ${source})`
  return `${setting} is "${own}"${origin}, but the stack that runs in this checkout has "${address}": unset ${source}, or set ORDERLY_STACK=none to use the environment alone.`
}
