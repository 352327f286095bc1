import { connectTopics, type SchemaRegistry, type Topics } from '@orderly/contracts'

/** Ids that every process of the benchmark gives the schemas, ours and the peers. */
export const schemaIDs = { orderCreated: 1, inventoryReserved: 2, inventoryFailed: 3 } as const

/** Our codecs as the services use them, without a registry to wait for: orders and outcomes are written as version 1, as the peers do. */
export function connectLocalTopics(): Promise<Omit<Topics, 'orderRate' | 'stockMovements'>> {
  return connectTopics(createLocalRegistry(), {
    ordersCreated: 1,
    inventoryReserved: 1,
    inventoryFailed: 1,
    ordersChanges: 'write',
    inventoryConfirmed: 'write',
    inventoryReleased: 'write'
  })
}

/** Gives ids in the sequence in which it is asked, and keeps nothing back. */
export function createLocalRegistry(): SchemaRegistry {
  const texts: string[] = []
  return {
    register: async (_subject, schema) => texts.push(JSON.stringify(schema)),
    versions: async () => [],
    schemaByID: async schemaID => ({ format: 'AVRO', text: texts[schemaID - 1] as string })
  }
}
