import { connectTopics, type SchemaRegistry } from '@orderly/contracts'

/** Schema ids that all contestants use. */
export const schemaIDs = { orderCreated: 1, inventoryReserved: 2, inventoryFailed: 3 } as const

/**
 * Returns our codecs as the services use them, but without a schema registry. Orders and outcomes
 * are written as version 1, as the peers do.
 */
export function connectLocalTopics() {
  return connectTopics(createLocalRegistry(), {
    ordersCreated: 1,
    inventoryReserved: 1,
    inventoryFailed: 1,
    ordersChanges: 'write',
    inventoryConfirmed: 'write',
    inventoryReleased: 'write'
  })
}

/** Creates a registry in memory that assigns ids in the order of the calls. */
export function createLocalRegistry(): SchemaRegistry {
  const texts: string[] = []
  return {
    register: async (_subject, schema) => texts.push(JSON.stringify(schema)),
    versions: async () => [],
    schemaByID: async schemaID => ({ format: 'AVRO', text: texts[schemaID - 1] as string })
  }
}
