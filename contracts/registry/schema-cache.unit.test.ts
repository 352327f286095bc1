import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSchemaCache } from './schema-cache.ts'

const avro = { format: 'AVRO', text: '"string"' }

test('an unknown id is asked for again when its time is over', async () => {
  const answers = [undefined, avro]
  const schemaByID = createSchemaCache(async () => answers.shift(), { unknownForMs: 0, maxUnknown: 10 })
  assert.equal(await schemaByID(1), undefined)
  assert.equal(await schemaByID(1), avro)
  assert.equal(await schemaByID(1), avro)
})

test('only so many unknown ids are remembered, the newest', async () => {
  const asked: number[] = []
  const schemaByID = createSchemaCache(
    async schemaID => {
      asked.push(schemaID)
      return undefined
    },
    { unknownForMs: 60_000, maxUnknown: 2 }
  )
  for (const schemaID of [1, 2, 3, 3, 2, 1]) await schemaByID(schemaID)
  assert.deepEqual(asked, [1, 2, 3, 1])
})

test('a failed lookup is not remembered', async () => {
  const answers = [Promise.reject(new Error('away')), Promise.resolve(avro)]
  const schemaByID = createSchemaCache(() => answers.shift() ?? Promise.resolve(undefined), {
    unknownForMs: 60_000,
    maxUnknown: 2
  })
  await assert.rejects(schemaByID(1), /away/)
  assert.equal(await schemaByID(1), avro)
})
