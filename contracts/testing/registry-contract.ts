import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { SchemaRejectedError } from '../errors.ts'
import type { SchemaRegistry } from '../registry/registry.ts'
import type { RecordSchema } from '../schema.ts'

/** Contract test for registries, in memory and real. */
export function testRegistry(name: string, connect: () => SchemaRegistry | Promise<SchemaRegistry>): void {
  test(`${name}: the same schema under the same subject keeps its id`, async () => {
    const registry = await connect()
    const subject = anySubject()
    const schema = anySchema()
    const schemaID = await registry.register(subject, schema)
    assert.equal(await registry.register(subject, schema), schemaID)
    assert.ok(Number.isInteger(schemaID) && schemaID >= 0)
  })

  test(`${name}: instances that register the same schema concurrently get the same id`, async () => {
    const registry = await connect()
    const subject = anySubject()
    const schema = anySchema()
    const schemaIDs = await Promise.all(Array.from({ length: 8 }, () => registry.register(subject, schema)))
    assert.equal(new Set(schemaIDs).size, 1)
  })

  test(`${name}: two versions of a schema have different ids and are found by them`, async () => {
    const registry = await connect()
    const subject = anySubject()
    const first = anySchema()
    const second = { ...first, fields: [...first.fields, { name: 'note', type: 'string', default: '' }] }
    const firstID = await registry.register(subject, first)
    const secondID = await registry.register(subject, second)
    assert.notEqual(firstID, secondID)
    for (const [schemaID, schema] of [
      [firstID, first],
      [secondID, second]
    ] as const) {
      const stored = await registry.schemaByID(schemaID)
      assert.equal(stored?.format, 'AVRO')
      assert.deepEqual(JSON.parse(stored.text), schema)
    }
  })

  test(`${name}: the versions of a subject are returned in order, and an unknown subject has none`, async () => {
    const registry = await connect()
    const subject = anySubject()
    assert.deepEqual(await registry.versions(subject), [])
    const first = anySchema()
    const second = { ...first, fields: [...first.fields, { name: 'note', type: 'string', default: '' }] }
    for (const schema of [first, second, first]) await registry.register(subject, schema)
    const versions = await registry.versions(subject)
    assert.deepEqual(
      versions.map(({ version, format, text }) => [version, format, JSON.parse(text)]),
      [
        [1, 'AVRO', first],
        [2, 'AVRO', second]
      ]
    )
  })

  test(`${name}: a version with another namespace is accepted`, async () => {
    const registry = await connect()
    const subject = anySubject()
    const first = anySchema()
    await registry.register(subject, first)
    await registry.register(subject, { ...first, namespace: 'org.example' })
    assert.equal((await registry.versions(subject)).length, 2)
  })

  test(`${name}: a schema that is incompatible with an earlier version is rejected and not stored`, async () => {
    const registry = await connect()
    const subject = anySubject()
    const first = anySchema()
    await registry.register(subject, first)
    const broken = { ...first, fields: [...first.fields, { name: 'note', type: 'string' }] }
    await assert.rejects(
      registry.register(subject, broken),
      error => error instanceof SchemaRejectedError && error.subject === subject && error.message.includes('note')
    )
    assert.equal((await registry.versions(subject)).length, 1)
  })

  test(`${name}: an unused id has no schema`, async () => {
    const registry = await connect()
    assert.equal(await registry.schemaByID(2_147_483_647), undefined)
  })

  test(`${name}: an invalid Avro schema is rejected with the subject`, async () => {
    const registry = await connect()
    const subject = anySubject()
    const broken = { ...anySchema(), fields: [{ name: 'total', type: 'decimal-that-is-not' }] }
    await assert.rejects(
      registry.register(subject, broken),
      error => error instanceof SchemaRejectedError && error.subject === subject && !error.retryable
    )
  })
}

function anySubject(): string {
  return `test.${randomUUID()}-value`
}

function anySchema(): RecordSchema {
  const name = `Event${randomUUID().replaceAll('-', '')}`
  return { type: 'record', name, namespace: 'com.orderly.test', fields: [{ name: 'id', type: 'string' }] }
}
