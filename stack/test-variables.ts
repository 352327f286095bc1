import type { RunningServers } from './servers.ts'

/** How the test runner tells test files where the servers of their run are. */
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
