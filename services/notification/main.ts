import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { createPostgresPositions } from '@orderly/positions'
import { isTransientFailure, openDatabase } from '@orderly/postgres'
import { kafkaConnection, registryAddress, runService, startStage } from '@orderly/service-kit'
import { configSchema } from './config.ts'
import { resultStage } from './consumer/result-stage.ts'
import { notificationsDeadLetterTopic } from './delivery/delivery-results.ts'
import { openSinks, startDelivery } from './delivery/start-delivery.ts'
import { kafkaUses, resultTopics } from './kafka-access.ts'
import { readEndpoints } from './store/endpoints.ts'
import { createPostgresDeliveryStore } from './store/postgres.ts'
import { deliverySchema, deliverySessionSettings } from './store/schema.ts'

/**
 * Maximum time that a fetch waits for more records under a load of hundreds of outcomes per second.
 * Each batch costs the delivery table about six statements, so larger batches are cheaper.
 */
const fetchPace = { everyMs: 50 }

runService({
  name: 'notification',
  config: configSchema,
  async start(service) {
    const { config } = service
    const name = `notification-${config.INSTANCE_ID}`
    const sinks = openSinks(service)
    const session = { statementTimeoutMs: 10_000, sessionSettings: deliverySessionSettings }
    const pool = await openDatabase(service, {
      ...{ schemas: [deliverySchema], applicationName: name, ...session },
      readinessGate: 'start'
    })
    const group = { schema: deliverySchema.schema, groupID: kafkaUses.groups[0] }
    const positions = createPostgresPositions(pool, { ...group, whenBehind: 'rewind' })
    const connection = kafkaConnection(config, name)
    const deliveries = await startDelivery(service, {
      ...{ sinks, connection, deliveryStore: createPostgresDeliveryStore(pool, { positions }) },
      readEndpoints: () => readEndpoints(pool)
    })

    const topics = await connectTopics(createSchemaRegistry(registryAddress(config)), resultTopics)
    startStage(service, resultStage(topics, deliveries.accept), {
      ...{ connection, positions, fetchPace, instanceID: config.INSTANCE_ID },
      delivery: 'at-least-once',
      isTransient: isTransientFailure,
      otherDeadLetterTopics: [notificationsDeadLetterTopic]
    })
  }
})
