import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { addHeaders, blockingCountHeader, releaseHeader, replayHeader, stageHeader } from '../dead-letters/headers.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { KafkaError } from '../errors.ts'
import type { OutputRecord } from '../records.ts'
import { createInMemoryBroker } from '../testing/in-memory-broker.ts'
import { createMemoryPositions } from '../testing/memory-positions.ts'
import { textCodec } from '../testing/text-codec.ts'
import type { PositionStore } from './position-store.ts'
import type { Stage } from './stage.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const [input, output, group] = ['in', 'out', 'group']
const partitions = 2

/**
 * Creates a stage whose effects are a set of names, stored together with positions, as in a
 * database.
 */
function pipeline(whenBehind: PositionStore['whenBehind'] = 'stop') {
  const broker = createInMemoryBroker({ partitions })
  const store = createMemoryPositions(whenBehind)
  const effects = new Set<string>()
  const plan = { failuresBefore: 0, failuresBehind: 0 }

  /**
   * Asserts the guarantee of a PositionStore; called whenever a stored or committed position
   * changes.
   */
  const assertStoredFirst = () => {
    const stored = store.snapshot()
    for (let partition = 0; partition < partitions; partition++) {
      const committed = broker.committedOffset(group, input, partition)
      const position = stored.get(`${input}/${partition}`)?.offset ?? 0n
      assert.ok(committed <= position, `${committed} is committed in ${partition}, and ${position} stored`)
    }
  }
  const positions: PositionStore = {
    ...store,
    async advance(...args) {
      await store.advance(...args)
      assertStoredFirst()
    }
  }
  const stage: Stage<string> = {
    name: 'stage',
    group,
    inputs: [
      {
        name: input,
        eventType: 'Text',
        codec: {
          ...textCodec,
          decode(...args) {
            const text = textCodec.decode(...args)
            if (text.startsWith('unreadable')) throw new Error('unreadable')
            return text
          }
        }
      }
    ],
    async process(records, context) {
      if (plan.failuresBefore-- > 0) throw new Error('transient')
      if (records.some(({ event }) => event.startsWith('poison'))) throw new Error('poison')
      await positions.advance(context.positions)
      for (const { event } of records) effects.add(event)
      // Imitates a COMMIT whose answer is lost.
      if (plan.failuresBehind-- > 0) throw new Error('transient')
      return records.map(({ key, event }) => ({ topic: output, key, value: Buffer.from(event), headers: {} }))
    }
  }
  let failure: unknown
  const start = () => {
    const running = broker.runStage(stage, {
      maxBatchRecords: 7,
      isTransient: error => (error as Error).message === 'transient',
      logger: silent,
      observer: { committed: assertStoredFirst },
      positions
    })
    running.finished.catch(error => {
      failure = error
    })
    return running
  }
  const isThrough = () =>
    Array.from({ length: partitions }, (_, partition) => partition).every(
      partition =>
        broker.committedOffset(group, input, partition) ===
        BigInt(broker.records(input).filter(record => record.partition === partition).length)
    )
  const untilThrough = async () => {
    while (!isThrough()) {
      if (failure !== undefined) throw failure
      await new Promise(resolve => setTimeout(resolve, 1))
    }
  }
  const texts = (topic: string) => broker.records(topic).map(({ value }) => value.toString())
  return { broker, store, effects, plan, start, untilThrough, texts }
}

const kinds = ['good', 'poison', 'unreadable', 'foreign', 'release'] as const
type Kind = (typeof kinds)[number]

function headersOf(kind: Kind): OutputRecord['headers'] {
  if (kind === 'foreign') return addHeaders([], { [stageHeader]: 'another', [replayHeader]: 'replay' })
  if (kind !== 'release') return {}
  return addHeaders([], { [stageHeader]: 'stage', [releaseHeader]: 'replay', [blockingCountHeader]: '99' })
}

interface Step {
  readonly records: readonly { readonly kind: Kind; readonly key: string }[]
  readonly failuresBefore: number
  readonly failuresBehind: number
  readonly failsCommit: boolean
  readonly restarts: boolean
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    records: fc.array(
      fc.record({ kind: fc.constantFrom(...kinds, 'good' as const), key: fc.constantFrom('a', 'b', 'c', 'd') }),
      {
        minLength: 1,
        maxLength: 12
      }
    ),
    failuresBefore: fc.constantFrom(0, 0, 1),
    failuresBehind: fc.constantFrom(0, 0, 1),
    failsCommit: fc.boolean(),
    restarts: fc.boolean()
  }),
  { minLength: 1, maxLength: 5 }
)

describe('stored positions', () => {
  test('under any failures the stored position is never before the committed offset, and each record has its effect or its dead letter', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async steps => {
        const { broker, effects, plan, start, untilThrough, texts } = pipeline()
        const producer = broker.producer()
        let written = 0
        let stage = start()
        for (const { records, failsCommit, restarts, ...failures } of steps) {
          Object.assign(plan, failures)
          if (failsCommit) broker.failNextCommit(new KafkaError('BROKER_UNAVAILABLE', 'no answer', { retryable: true }))
          await producer.send(
            records.map(({ kind, key }) => ({
              topic: input,
              key,
              value: kind === 'release' ? null : Buffer.from(`${kind} ${written++}`),
              headers: headersOf(kind)
            }))
          )
          if (restarts) {
            await stage.stop()
            stage = start()
          }
        }
        await untilThrough()
        await stage.stop()
        const deadLetters = texts(deadLetterTopic(input)).filter(text => text !== '')
        const done = [...effects, ...deadLetters]
        const expected = texts(input).filter(text => text !== '' && !text.startsWith('foreign'))
        assert.deepEqual(done.toSorted(), expected.toSorted())
        assert.deepEqual(texts(output).toSorted(), [...effects].toSorted())
      }),
      { numRuns: 40 }
    )
  })

  test('a stage whose group was deleted refuses to start and names the remedy', async () => {
    const { broker, store, start, untilThrough, texts } = pipeline()
    await broker.producer().send([{ topic: input, key: 'a', value: Buffer.from('good 1'), headers: {} }])
    const stage = start()
    await untilThrough()
    await stage.stop()
    broker.forgetOffsets(group)
    await assert.rejects(start().finished, { code: 'OFFSETS_MISSING', retryable: false, message: /Set the offsets\.$/ })
    assert.deepEqual(texts(output), ['good 1'])
    assert.deepEqual(new Set(store.incidents.map(({ kind }) => kind)), new Set(['offsets_missing']))
  })

  test('a database that is restored to an earlier state while the stage runs stops it before its next decision', async () => {
    const { broker, store, effects, start, untilThrough, texts } = pipeline()
    const send = (text: string) =>
      broker.producer().send([{ topic: input, key: 'a', value: Buffer.from(text), headers: {} }])
    const stage = start()
    await send('good 1')
    await untilThrough()
    const backup = store.snapshot()
    await send('good 2')
    await untilThrough()
    store.restore(backup)
    await send('good 3')
    await assert.rejects(stage.finished, { code: 'DATABASE_BEHIND', message: /Repair the database\.$/ })
    assert.deepEqual(texts(output), ['good 1', 'good 2'])
    assert.equal(effects.has('good 3'), false)
  })

  test('a stage whose effects may be repeated rewinds to the stored position and processes the records again', async () => {
    const { broker, store, effects, start, untilThrough, texts } = pipeline('rewind')
    const send = (text: string) =>
      broker.producer().send([{ topic: input, key: 'a', value: Buffer.from(text), headers: {} }])
    const stage = start()
    await send('good 1')
    await untilThrough()
    const backup = store.snapshot()
    await send('good 2')
    await untilThrough()
    store.restore(backup)
    effects.delete('good 2')
    await send('good 3')
    await untilThrough()
    while (effects.size < 3) await new Promise(resolve => setTimeout(resolve, 1))
    await stage.stop()
    assert.deepEqual(texts(output), ['good 1', 'good 2', 'good 2', 'good 3'])
    assert.deepEqual(
      store.incidents.map(({ kind }) => kind),
      ['database_behind']
    )
  })

  test('a recreated topic is read from its beginning although positions are stored', async () => {
    const { broker, store, start, untilThrough, texts } = pipeline()
    const send = (...names: string[]) =>
      broker.producer().send(names.map(text => ({ topic: input, key: 'a', value: Buffer.from(text), headers: {} })))
    await send('good 1', 'good 2')
    let stage = start()
    await untilThrough()
    await stage.stop()
    broker.recreateTopic(input)
    await send('good 3')
    stage = start()
    await untilThrough()
    await stage.stop()
    assert.deepEqual(texts(output), ['good 1', 'good 2', 'good 3'])
    assert.deepEqual(new Set(store.incidents.map(({ kind }) => kind)), new Set(['topic_recreated']))
  })
})
