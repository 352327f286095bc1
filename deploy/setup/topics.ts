/**
 * Creates missing topics before the services start. A replication factor of -1 selects the
 * cluster's default.
 */
import { topicConfig } from '@orderly/contracts'
import { createTopics } from '@orderly/kafka'
import { ConfigError, kafkaConnection, kafkaSettings, parseConfig } from '@orderly/service-kit'
import { Type } from 'typebox'
import { provisionedTopics } from '../kafka/principals.ts'

const settings = Type.Object({
  ...kafkaSettings,
  ORDERLY_PARTITIONS: Type.Integer({ minimum: 1, maximum: 1000, default: 4 })
})

try {
  const config = parseConfig(settings, process.env)
  const partitions = config.ORDERLY_PARTITIONS
  await createTopics(
    kafkaConnection(config, 'orderly-setup'),
    provisionedTopics.map(name => ({
      ...{ name, partitions, replicationFactor: -1 },
      configs: topicConfig(name)
    }))
  )
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof ConfigError ? error.exitCode : 1
}
