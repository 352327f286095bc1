import { join } from 'node:path'
import type { Java } from '../preflight/java.ts'
import { makePrivateDirectory } from '../private-directory.ts'
import { loopback } from '../processes/ports.ts'
import type { Supervisor } from '../processes/supervisor.ts'
import type { RunningComponent } from './component.ts'
import { whenReady } from './http-component.ts'
import { jarsHome, registryJars } from './jars.ts'
import { startJavaServer } from './java-process.ts'

export interface RegistryOptions {
  readonly supervisor: Supervisor
  readonly java: Java
  readonly dataDirectory: string
  readonly port: number
}

/**
 * Starts Apicurio, which provides the Confluent API. It stores its schemas in a file, so it depends
 * on no other server.
 */
export async function startRegistry(options: RegistryOptions): Promise<RunningComponent> {
  const startedAt = performance.now()
  makePrivateDirectory(options.dataDirectory)
  const home = jarsHome(registryJars)
  // Writes are synced immediately: an id that was returned is in records and must never be assigned
  // again.
  const database = 'jdbc:h2:file:./schemas;WRITE_DELAY=0'
  const settings = {
    'quarkus.http.host': loopback,
    'quarkus.http.port': options.port,
    'quarkus.management.host': loopback,
    'quarkus.management.port': 0,
    'quarkus.http.access-log.enabled': false,
    'quarkus.banner.enabled': false,
    // Refuses requests whose `Origin` is not the registry's address, so that web pages can neither
    // read nor write schemas.
    'quarkus.http.cors.origins': `http://${loopback}:${options.port}`,
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'h2',
    'apicurio.datasource.url': database
  }
  const child = startJavaServer(options.supervisor, {
    name: 'registry',
    java: options.java,
    jars: registryJars,
    cwd: options.dataDirectory,
    env: withoutTracing(process.env),
    args: [
      '-Xmx160m',
      '-Xms32m',
      '-XX:TieredStopAtLevel=1',
      ...Object.entries(settings).map(([key, value]) => `-D${key}=${value}`),
      '-jar',
      join(home, 'quarkus-run.jar')
    ]
  })
  const address = `http://${loopback}:${options.port}/apis/ccompat/v7`
  return whenReady({ name: 'registry', address, child, readyPath: '/subjects', startedAt })
}

/**
 * Removes OpenTelemetry's variables. The registry reads them, too, and does not start with some
 * values that the services accept.
 */
function withoutTracing(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('OTEL_')))
}
