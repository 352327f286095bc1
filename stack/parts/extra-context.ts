import type { ExtraPort } from '../extras.ts'
import type { ServersOptions } from '../servers.ts'
import type { ServiceName } from '../services.ts'

/** What an extra is started with. */
export interface ExtraContext extends Pick<ServersOptions, 'supervisor' | 'directories'> {
  readonly ports: Record<ServiceName | ExtraPort, number>
  /** Where the broker tells its metrics, if it is ours. */
  readonly brokerMetrics: number | undefined
  /** Where Kafka Connect tells its metrics, if it runs and somebody scrapes them. */
  readonly connectMetrics: number | undefined
  /** As the services have it: with the addresses of the servers. */
  readonly environment: NodeJS.ProcessEnv
  readonly say: (text: string) => void
}
