import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const schemas = { inventory: 'inventory', notification: 'notification', aggregator: 'aggregator', order: 'orders' }
const heading = '-- Positions and incidents of the stage.'

test('all services create identical tables of positions and incidents in their schemas', () => {
  const sections = Object.entries(schemas).map(([service, schema]) => {
    const file = new URL(`../../services/${service}/store/migrations/0001_${schema}.sql`, import.meta.url)
    const [, section = '', ...others] = readFileSync(file, 'utf8').split(heading)
    assert.deepEqual(others, [], service)
    for (const table of ['positions', 'incidents'])
      assert.match(section, new RegExp(`CREATE TABLE ${schema}.${table} `))
    return section.replaceAll(`${schema}.`, 'SCHEMA.')
  })
  assert.equal(new Set(sections).size, 1)
})
