import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { ApiAddresses } from '../http/api-page.ts'
import { createReadiness, type Readiness } from '../http/readiness.ts'
import { createHttpServer } from '../http/server.ts'
import type { Logger } from '../logging/logger.ts'
import { createMetrics, type Metrics } from '../metrics/registry.ts'
import type { Spans } from '../tracing/spans.ts'
import { silentLogger } from './loggers.ts'

export interface TestHttp {
  readonly http: FastifyInstance
  readonly readiness: Readiness
  readonly metrics: Metrics
  /** Listens on a free loopback port. @returns the address */
  listen(): Promise<string>
  close(patienceMs: number): Promise<void>
}

export interface TestHttpOptions {
  readonly logger?: Logger
  readonly spans?: Spans
  readonly allowedOrigins?: readonly string[]
  readonly apiAddresses?: ApiAddresses
}

/**
 * Creates an HTTP server like that of every service, for routes under test. It is closed after the
 * test.
 */
export function createTestHttp(t: Pick<TestContext, 'after'>, options: TestHttpOptions = {}): TestHttp {
  const { logger = silentLogger(), spans, allowedOrigins = [], apiAddresses = {} } = options
  const metrics = createMetrics('test')
  const readiness = createReadiness({ logger, freshMs: 0 })
  const server = createHttpServer({ logger, metrics, readiness, spans, allowedOrigins, apiAddresses })
  t.after(() => server.close(0))
  async function listen(): Promise<string> {
    const address = await server.listen('127.0.0.1', 0)
    await server.open()
    return address
  }
  return { http: server.fastify, readiness, metrics, listen, close: server.close }
}
