import { join } from 'node:path'
import { kafkaConnectionOf } from './external-servers.ts'
import type { ExtraName } from './extras.ts'
import { startConnect } from './parts/connect.ts'
import { connectParts } from './parts/jars.ts'
import type { RunningPart } from './parts/part.ts'
import { javaWith, type ServersOptions } from './servers.ts'

export interface ExtraContext extends Pick<ServersOptions, 'supervisor' | 'directories'> {
  readonly port: number
  /** As the services have it: with the addresses of the servers. */
  readonly environment: NodeJS.ProcessEnv
  readonly say: (text: string) => void
}

/** How each extra starts, once the servers are there and the topics are made. */
export const startExtra: Readonly<Record<ExtraName, (context: ExtraContext) => Promise<RunningPart>>> = {
  async connect({ supervisor, directories, port, environment, say }) {
    return startConnect({
      supervisor,
      java: await javaWith(connectParts, supervisor, say),
      dataDirectory: join(directories.data, 'connect'),
      port,
      connection: kafkaConnectionOf(environment),
      databaseURL: environment.DATABASE_URL ?? '',
      registryURL: environment.SCHEMA_REGISTRY_URL ?? ''
    })
  }
}
