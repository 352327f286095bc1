import { join } from 'node:path'
import { projectDirectory, samplesDirectory } from './directories.ts'

/** Profile of everything that the launcher starts, unless the environment sets another one. */
export const launcherProfile = 'dev'

/**
 * A service that the launcher starts. `services` lists them in the order in which an order passes
 * them.
 */
export interface ServiceDescription {
  readonly name: AnyServiceName
  readonly usualPort: number
  readonly env?: Readonly<Record<string, string>>
}

/** The monitor, which starts with `--with monitoring`. */
export const monitorService = { name: 'monitor', usualPort: 8086 } as const satisfies ServiceDescription

export const serviceNames = ['order', 'inventory', 'notification', 'aggregator'] as const
export type ServiceName = (typeof serviceNames)[number]
export type AnyServiceName = ServiceName | 'monitor'

export const services: readonly (ServiceDescription & { readonly name: ServiceName })[] = [
  { name: 'order', usualPort: 8080 },
  { name: 'inventory', usualPort: 8081, env: { SEED_STOCK_FILE: join(samplesDirectory, 'stock.csv') } },
  { name: 'notification', usualPort: 8082 },
  { name: 'aggregator', usualPort: 8083 }
]

/** Returns the main file of a service. @param directory root of its code */
export function mainFile(name: AnyServiceName, directory = projectDirectory): string {
  return join(directory, 'services', name, 'main.ts')
}
