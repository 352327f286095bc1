import assert from 'node:assert/strict'
import { test } from 'node:test'
import { externalServers, kafkaConnectionOf } from './external-servers.ts'

test('a server with an address in the environment is external, and its password is masked', () => {
  const servers = externalServers({ DATABASE_URL: 'postgres://shop:s3cret@db.example/shop', KAFKA_BROKERS: ' ' })
  assert.deepEqual([...servers], [['postgres', 'postgres://***@db.example/shop']])
})

test('the topics are created with the security settings that the services use', () => {
  const { brokers, sasl } = kafkaConnectionOf({
    KAFKA_BROKERS: 'a.example:9092,b.example:9092',
    KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    KAFKA_SASL_USERNAME: 'orderly',
    KAFKA_SASL_PASSWORD: 'secret'
  })
  assert.deepEqual(brokers, ['a.example:9092', 'b.example:9092'])
  assert.equal(sasl?.mechanism, 'SCRAM-SHA-512')
})
