export { fetchedHeaders } from './fetched-headers.ts'
export { createInMemoryBroker, type InMemoryBroker, type RecordedRecord } from './in-memory-broker.ts'
export { readCommitted } from './read-committed.ts'
export { ScriptedProducer } from './scripted-producer.ts'
