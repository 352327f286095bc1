import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const schemas = { inventory: 'inventory', notification: 'notification', aggregator: 'aggregator', order: 'orders' }

test('all services create identical tables of positions and incidents in their schemas', () => {
  const texts = Object.entries(schemas).map(([service, schema]) => {
    const directory = new URL(`../../services/${service}/store/migrations/`, import.meta.url)
    const [file, ...others] = readdirSync(directory).filter(name => name.endsWith('_positions.sql'))
    assert.deepEqual([typeof file, others], ['string', []], service)
    return readFileSync(new URL(String(file), directory), 'utf8').replaceAll(`${schema}.`, 'SCHEMA.')
  })
  assert.equal(new Set(texts).size, 1)
})
