import { ConfigError } from './config-error.ts'
import type { LocalStack } from './local-stack.ts'

/** Port settings of the launcher, by the address that each is part of. */
const portSettings: Readonly<Record<string, readonly [setting: string, address: (port: string) => string]>> = {
  KAFKA_BROKERS: ['ORDERLY_KAFKA_PORT', port => `127.0.0.1:${port}`],
  SCHEMA_REGISTRY_URL: ['ORDERLY_REGISTRY_PORT', port => `http://127.0.0.1:${port}/apis/ccompat/v7`],
  INVENTORY_URL: ['ORDERLY_INVENTORY_PORT', port => `http://127.0.0.1:${port}`],
  CONNECT_URL: ['ORDERLY_CONNECT_PORT', port => `http://127.0.0.1:${port}`],
  PROMETHEUS_URL: ['ORDERLY_PROMETHEUS_PORT', port => `http://127.0.0.1:${port}`]
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
}

/**
 * Chooses the stack: the one that runs in this checkout, or the one in the environment.
 * `ORDERLY_STACK=none` ignores the running stack.
 * @throws ConfigError if both exist and differ
 */
export function findStack(given: NodeJS.ProcessEnv, readStack: () => LocalStack | undefined): ChosenStack {
  const environment = { ...given }
  for (const [setting, [port, addressOf]] of Object.entries(portSettings)) {
    const value = given[port]?.trim()
    if (!environment[setting]?.trim() && value) environment[setting] = addressOf(value)
  }
  const usesEnvironmentAlone = given.ORDERLY_STACK === 'none' || given.ORDERLY_PROFILE === 'prod'
  const stack = usesEnvironmentAlone ? undefined : readStack()
  for (const [setting, address] of Object.entries(stack?.addresses ?? {})) {
    const own = environment[setting]?.trim()
    const known = withoutCredentials(address)
    if (own && withoutCredentials(own).replace(/\/$/, '') !== known)
      throw new ConfigError([disagreement(setting, withoutCredentials(own), known)])
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
    }
  }
}

function withoutCredentials(address: string): string {
  return address.replace(/^(\w+:\/\/)[^/@]*@/, '$1')
}

function disagreement(setting: string, own: string, address: string): string {
  return `${setting} is "${own}", but the stack that runs in this checkout has "${address}": unset ${setting}, or set ORDERLY_STACK=none to use the environment alone.`
}
