import { ConfigError, parseConfig } from '@orderly/service-kit'
import type { TObject } from 'typebox'
import { configSchema as aggregator } from '../../services/aggregator/config.ts'
import { configSchema as inventory } from '../../services/inventory/config.ts'
import { configSchema as monitor } from '../../services/monitor/config.ts'
import { configSchema as notification } from '../../services/notification/config.ts'
import { configSchema as order } from '../../services/order/config.ts'
import type { AnyServiceName } from '../services.ts'

const schemas: Readonly<Record<AnyServiceName, TObject>> = { order, inventory, notification, aggregator, monitor }

/**
 * Checks the settings of services before anything starts.
 * @param environmentOf returns the environment of a service
 * @throws ConfigError with all problems, each with the names of the affected services
 */
export function checkServiceSettings(
  names: readonly AnyServiceName[],
  environmentOf: (name: AnyServiceName) => NodeJS.ProcessEnv
): void {
  const services = new Map<string, AnyServiceName[]>()
  for (const name of names) {
    for (const problem of problemsOf(name, environmentOf(name)))
      services.set(problem, [...(services.get(problem) ?? []), name])
  }
  if (services.size > 0)
    throw new ConfigError([...services].map(([problem, names]) => `${names.join(', ')}: ${problem}`))
}

function problemsOf(name: AnyServiceName, environment: NodeJS.ProcessEnv): readonly string[] {
  try {
    parseConfig(schemas[name], environment)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}
