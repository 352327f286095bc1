import type { RunningServers } from './servers.ts'

/**
 * Environment variables with which the test runner passes the addresses of its servers to test
 * files.
 */
export const variableNames = {
  kafkaBrokers: 'ORDERLY_TEST_KAFKA_BROKERS',
  databaseCredentials: 'ORDERLY_TEST_DATABASE_CREDENTIALS',
  registryURL: 'ORDERLY_TEST_REGISTRY_URL'
} as const

export function testVariables({ kafka, postgres, registry }: RunningServers): Record<string, string> {
  return {
    [variableNames.kafkaBrokers]: kafka?.brokers.join(',') ?? '',
    [variableNames.databaseCredentials]: postgres?.access.file ?? '',
    [variableNames.registryURL]: registry?.address ?? ''
  }
}
