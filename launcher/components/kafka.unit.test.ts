import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerProperties, type KafkaNode } from './kafka.ts'

const nodes = (count: number): KafkaNode[] =>
  Array.from({ length: count }, (_, index) => ({ id: index + 1, port: 9000 + index, controllerPort: 9100 + index }))

function propertiesOf(count: number): Map<string, string> {
  const all = nodes(count)
  const text = brokerProperties(all[0] as KafkaNode, all, '/data')
  return new Map(
    text
      .trim()
      .split('\n')
      .map(line => line.split(/=(.*)/s) as [string, string])
  )
}

test('every listener of a broker is on loopback', () => {
  const properties = propertiesOf(1)
  for (const name of ['listeners', 'advertised.listeners', 'controller.quorum.voters']) {
    assert.match(properties.get(name) ?? '', /127\.0\.0\.1/)
    assert.doesNotMatch(properties.get(name) ?? '', /0\.0\.0\.0|localhost|\/\/:/)
  }
})

test('a single broker keeps one replica of everything', () => {
  const properties = propertiesOf(1)
  assert.equal(properties.get('default.replication.factor'), '1')
  assert.equal(properties.get('transaction.state.log.min.isr'), '1')
})

test('three brokers form one quorum, keep three replicas and acknowledge with two', () => {
  const properties = propertiesOf(3)
  assert.equal(properties.get('controller.quorum.voters'), '1@127.0.0.1:9100,2@127.0.0.1:9101,3@127.0.0.1:9102')
  assert.equal(properties.get('default.replication.factor'), '3')
  assert.equal(properties.get('min.insync.replicas'), '2')
  assert.equal(properties.get('transaction.state.log.min.isr'), '2')
})
