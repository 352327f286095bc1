import { kafkaConnectionOf } from './external-servers.ts'
import type { ExtraName } from './extras.ts'
import { startConnect } from './parts/connect.ts'
import { connectDirectory } from './parts/connect-access.ts'
import type { ExtraContext } from './parts/extra-context.ts'
import { connectParts, jmxAgentJars } from './parts/jars.ts'
import { startMonitoring } from './parts/monitoring.ts'
import type { RunningPart } from './parts/part.ts'
import { javaWith } from './servers.ts'

/** Start functions of the extras. They run once the servers are healthy and the topics exist. */
export const startExtra: Readonly<Record<ExtraName, (context: ExtraContext) => Promise<readonly RunningPart[]>>> = {
  async connect({ supervisor, directories, ports, connectMetrics, environment, say }) {
    const needed = connectMetrics === undefined ? connectParts : [...connectParts, jmxAgentJars]
    const connect = await startConnect({
      supervisor,
      java: await javaWith(needed, supervisor, say),
      dataDirectory: connectDirectory(directories.data),
      port: ports.connect,
      connection: kafkaConnectionOf(environment),
      databaseURL: environment.DATABASE_URL ?? '',
      registryURL: environment.SCHEMA_REGISTRY_URL ?? '',
      metricsPort: connectMetrics
    })
    return [connect]
  },

  monitoring: startMonitoring
}
