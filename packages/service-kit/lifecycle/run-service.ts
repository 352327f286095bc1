import closeWithGrace from 'close-with-grace'
import { ConfigError } from '../config/config-error.ts'
import { type Config, parseConfig } from '../config/parse-config.ts'
import { createLogger } from '../logging/logger.ts'
import { maskSecrets } from '../logging/mask-secrets.ts'
import { escapeControlsInLines } from '../text/escape-controls.ts'
import { exitCodeOf } from './exit-code.ts'
import type { ServiceConfig, ServiceDefinition, ServiceProperties } from './service.ts'
import { startService } from './start-service.ts'

/**
 * Runs the service in this process until a signal or a failure ends it:
 *
 * - SIGTERM, SIGINT, SIGHUP: graceful shutdown with exit code 0, or 1 after `SHUTDOWN_DEADLINE_MS`
 * - a second signal: exit code 1 immediately
 * - a failed start, `fail(error)`, an uncaught error: graceful shutdown with the exit code of the
 *   error
 * - invalid settings: exit code 78 before any resource is opened
 *
 * A parent process with an IPC channel receives `{ type: 'listening', address }`. The service stops
 * when the channel is disconnected.
 */
export function runService<Properties extends ServiceProperties>(definition: ServiceDefinition<Properties>): void {
  const config = readConfig(definition)
  // The settings that every service has; the compiler cannot infer them from the generic type.
  const settings = config as unknown as ServiceConfig
  const logger = createLogger({
    service: definition.name,
    instance: settings.INSTANCE_ID,
    level: settings.LOG_LEVEL,
    isPretty: settings.ORDERLY_PROFILE === 'dev' && process.stdout.isTTY
  })

  let isStopping = false
  let failure: { error: unknown } | undefined
  const grace = closeWithGrace(
    {
      delay: settings.SHUTDOWN_DEADLINE_MS,
      logger: false,
      // After most of these, memory may be corrupt. SIGTRAP belongs to debuggers.
      skip: ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGUSR2'],
      onSecondSignal: signal =>
        logger.fatal({ event: 'shutdown_interrupted', signal }, 'second signal while stopping, exiting immediately'),
      onSecondError: error =>
        logger.fatal({ event: 'shutdown_failed', error }, 'error while stopping, exiting immediately'),
      onTimeout: deadlineMs =>
        logger.fatal(
          { event: 'shutdown_deadline_exceeded', deadlineMs, resource: service.stopping() },
          'shutdown deadline exceeded'
        )
    },
    async ({ signal, err }) => {
      if (err !== undefined) noteFailure(err)
      isStopping = true
      logger.info({ signal }, 'stopping')
      let releaseError: unknown
      await service.stop().catch(error => {
        releaseError = error
      })
      logger.info({}, 'stopped')
      if (failure !== undefined) process.exit(exitCodeOf(failure.error))
      if (releaseError !== undefined) process.exit(1)
    }
  )

  function noteFailure(error: unknown): void {
    failure = { error }
    logger.fatal({ event: 'service_failed', error }, 'service failed')
  }

  function fail(error: unknown): void {
    if (isStopping) {
      logger.debug({ error }, 'service failed while stopping')
      return
    }
    noteFailure(error)
    grace.close()
  }

  const service = startService(definition, { config, logger, onFailure: fail })
  process.once('disconnect', () => {
    if (!isStopping) grace.close()
  })
  process.channel?.unref()
  service.started.then(address => {
    logger.info({ address }, 'listening')
    process.send?.({ type: 'listening', address }, undefined, {}, () => {})
  }, fail)
}

function readConfig<Properties extends ServiceProperties>({
  name,
  config
}: ServiceDefinition<Properties>): Config<Properties> {
  try {
    return parseConfig(config, process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${name} cannot start: ${escapeControlsInLines(maskSecrets(error.message))}\n`)
    process.exit(error.exitCode)
  }
}
