import type { RunningComponent } from './components/component.ts'
import { startConnect } from './components/connect.ts'
import { connectDirectory } from './components/connect-access.ts'
import type { ExtraContext } from './components/extra-context.ts'
import { connectJarSets, jmxAgentJars } from './components/jars.ts'
import { startMonitoring } from './components/monitoring.ts'
import { kafkaConnectionOf } from './external-servers.ts'
import type { ExtraName } from './extras.ts'
import { javaWith } from './servers.ts'

/** Start functions of the extras. They run once the servers are healthy and the topics exist. */
export const startExtra: Readonly<Record<ExtraName, (context: ExtraContext) => Promise<readonly RunningComponent[]>>> =
  {
    async connect({ supervisor, directories, ports, connectMetrics, environment, say }) {
      const needed = connectMetrics === undefined ? connectJarSets : [...connectJarSets, jmxAgentJars]
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
