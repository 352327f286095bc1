import { findStack, type LocalStack, readLocalStack } from '@orderly/service-kit'
import type { CommandContext } from './commands/command.ts'
import { orderlyDirectory, projectDirectory } from './directories.ts'
import { usualPorts } from './preflight/ports.ts'
import { type AnyServiceName, launcherProfile } from './services.ts'

/**
 * Returns the environment of a program that runs beside `npm start`: the addresses of the stack
 * that runs in this checkout, or those of the port settings.
 * @param service name of the service whose port is set; undefined for a program without a port
 * @throws ConfigError if no stack runs and the environment has no address of Kafka or of the
 * registry,
 *   or if the environment and the running stack differ
 */
export function besideStack(
  given: NodeJS.ProcessEnv,
  service?: AnyServiceName,
  readStack: () => LocalStack | undefined = readLocalStack
): NodeJS.ProcessEnv {
  const ports = usualPorts(given)
  const { environment, requireAddress, requireDatabase } = findStack(
    { ORDERLY_PROFILE: launcherProfile, ...given },
    readStack
  )
  for (const setting of ['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL']) requireAddress(setting)
  if (given.DATABASE_URL?.trim()) requireDatabase('DATABASE_URL', given.DATABASE_URL)
  if (service === undefined) return environment
  const running = environment[`${service.toUpperCase()}_URL`]
  const port = given.HTTP_PORT?.trim() || (running === undefined ? ports[service] : new URL(running).port)
  return { ...environment, HTTP_PORT: String(port) }
}

/** Runs a Node program in the foreground. @returns its exit code */
export async function runInForeground(
  { supervise }: CommandContext,
  program: { readonly name: string; readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv }
): Promise<number> {
  const child = supervise(orderlyDirectory).start({
    ...program,
    tier: 'service',
    command: process.execPath,
    cwd: projectDirectory,
    output: 'inherit'
  })
  const { code } = await child.exited
  return code ?? 1
}
