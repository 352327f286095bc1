import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { topicNames } from '@orderly/contracts'

for (const file of ['audit-postgres.json', 'audit-mongodb.json']) {
  const { config } = JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8'))

  test(`${file} audits every event topic, in the order of topicNames`, () => {
    assert.equal(config.topics, Object.values(topicNames).join(','))
  })

  test(`${file} reads committed records from the beginning and retries without limit during an outage`, () => {
    assert.equal(config['consumer.override.isolation.level'], 'read_committed')
    assert.equal(config['consumer.override.auto.offset.reset'], 'earliest')
    assert.equal(config['errors.retry.timeout'], '-1')
    assert.equal(config['errors.tolerance'], 'all')
    assert.equal(config['consumer.override.interceptor.classes'], 'com.orderly.connect.KafkaView')
    assert.match(config['errors.deadletterqueue.topic.name'], /\.dlq$/)
  })

  test(`${file} holds no address and no secret`, () => {
    for (const [name, value] of Object.entries(config as Record<string, string>)) {
      if (/(url|uri|username|password|file)$/.test(name)) assert.match(value, /^\$\{env:AUDIT_[A-Z_]+\}$/)
    }
  })
}
