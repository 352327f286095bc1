import type { ExtraPort } from '../extras.ts'
import type { ServersOptions } from '../servers.ts'
import type { ServiceName } from '../services.ts'

/**
 * Context that an extra needs to start. Extras are the optional components of `npm start -- --with
 * connect,monitoring`.
 */
export interface ExtraContext extends Pick<ServersOptions, 'supervisor' | 'directories'> {
  readonly ports: Record<ServiceName | ExtraPort, number>
  /** Port of the broker's metrics agent, if the broker runs here. */
  readonly brokerMetrics: number | undefined
  /** Port of the metrics agent of Kafka Connect, if it runs and is scraped. */
  readonly connectMetrics: number | undefined
  /** Environment variables that the services get too, with the addresses of the servers. */
  readonly environment: NodeJS.ProcessEnv
  readonly say: (text: string) => void
}
