import type { Mutant } from './mutant.ts'

const committers = 'packages/kafka/stage/committers.ts'
const runStage = 'packages/kafka/stage/run-stage.ts'
const classifyRecord = 'packages/kafka/stage/classify-record.ts'
const processBatch = 'packages/kafka/stage/process-batch.ts'
const exactlyOnceAdd = '        add: outputs => outbox.add(outputs),'
const exactlyOnceCommit = '        commit: (offsets, group) => producer.commit(outbox, offsets, group)'

/** Mutants of packages/kafka. */
export const kafkaMutants: readonly Mutant[] = [
  {
    name: 'offsets-first',
    bug: 'offsets are committed before the outputs they belong to',
    patches: [
      {
        file: committers,
        find: exactlyOnceCommit,
        replace: `        commit: async (offsets, group) => {
          await commitOffsets(cluster, group, offsets)
          await producer.commit(outbox, offsets, group)
        }`
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['transaction-begun', 'outputs-written', 'before-commit'],
    breaks: [2, 8]
  },
  {
    name: 'outputs-outside',
    bug: 'outputs are written outside of the transaction that carries the offsets',
    patches: [
      {
        file: committers,
        find: exactlyOnceAdd,
        replace: `        add: async outputs => {
          const plain = await createProducer(options.connection)
          await plain.send(outputs)
          await plain.close()
        },`
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['transaction-begun', 'before-commit'],
    breaks: [2]
  },
  {
    name: 'reads-aborted',
    bug: 'records of aborted transactions are not filtered',
    patches: [
      {
        file: 'packages/kafka/fetch/committed-batches.ts',
        find: '!abortedProducers.has(batch.producerId)',
        replace: 'abortedProducers.size >= 0'
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['outputs-written', 'before-commit'],
    breaks: [3]
  },
  {
    name: 'no-generation',
    bug: 'commits carry no generation, so an instance that lost its partitions can still commit',
    patches: [
      {
        file: 'packages/kafka/transaction/transactional-producer.ts',
        find: `        group.generation,
        group.memberID,
        group.instanceID,`,
        replace: `        -1,
        '',
        null,`
      }
    ],
    faults: { 'freeze-at-point': 1 },
    services: ['inventory'],
    points: ['batch-read', 'batch-processed'],
    durationMs: 50_000,
    breaks: [2, 8]
  },
  {
    name: 'unstable-offsets',
    bug: 'a new owner starts from offsets that an open transaction is about to replace',
    patches: [
      {
        file: 'packages/kafka/consumer-group/committed-offsets.ts',
        find: 'offsetFetchV9.api, question, true)',
        replace: 'offsetFetchV9.api, question, false)'
      }
    ],
    faults: { 'freeze-at-point': 1 },
    services: ['inventory'],
    points: ['before-commit'],
    durationMs: 50_000,
    breaks: [2, 8]
  },
  {
    name: 'keeps-position',
    bug: 'after a failed commit the stage continues after the failed batch',
    patches: [
      {
        file: runStage,
        find: '      this.#opener.open(starts, opening.signal)',
        replace: '      if (this.#failures === 0) this.#opener.open(starts, opening.signal)'
      },
      {
        file: runStage,
        find: "    this.#fetcher.assign([])\n    const error = toKafkaError(thrown, 'committing')",
        replace: "    const error = toKafkaError(thrown, 'committing')"
      }
    ],
    faults: { 'mute-at-point': 1 },
    services: ['inventory'],
    points: ['batch-processed', 'transaction-begun'],
    breaks: [2, 8]
  },
  {
    name: 'fence-ignored',
    bug: 'a fenced instance retries instead of exiting',
    patches: [
      {
        file: 'packages/kafka/errors.ts',
        find: `another instance has replaced this one (\${name})\`, {
      retryable: false`,
        replace: `another instance has replaced this one (\${name})\`, {
      retryable: true`
      },
      { file: 'packages/kafka/consumer-group/member.ts', find: '      this.#failure = error\n', replace: '' }
    ],
    faults: { replace: 1 },
    services: ['inventory'],
    durationMs: 40_000,
    breaks: [12]
  },
  {
    name: 'drops-poison',
    bug: 'records that cannot be decoded are dropped',
    patches: [
      {
        file: processBatch,
        find: 'section.deadLetters.push(this.#deadLetter(record, classified.error))',
        replace: 'void this.#deadLetter(record, classified.error)'
      }
    ],
    faults: { poison: 1 },
    breaks: [14]
  },
  {
    name: 'followers-overtake',
    bug: 'later orders of a blocked key are processed',
    patches: [
      {
        file: classifyRecord,
        find: '    if (blockedKeys === undefined || blockedKeys.isEmpty) return false',
        replace: '    if (blockedKeys !== undefined || record.hasKey) return false'
      }
    ],
    faults: { poison: 1 },
    breaks: [14]
  },
  {
    name: 'new-identity-per-try',
    bug: 'a repeated write has a new producer id, so brokers do not deduplicate it',
    patches: [
      {
        file: 'packages/kafka/producer/producer.ts',
        find: 'const code = await this.#writeBatch(connection, { topic, partition, encode })',
        replace: `const fresh = await this.#initSession()
        const code = await this.#writeBatch(connection, {
          ...{ topic, partition },
          encode: () => {
            const records = take().map(({ record }) => record)
            if (records.length === 0) return undefined
            return encodeRecordBatch({ records, ...fresh, firstSequence: 0, isTransactional: false })
          }
        })`
      }
    ],
    faults: { mute: 1 },
    breaks: [1]
  },
  {
    name: 'poison-passed-over',
    bug: 'change requests that cannot be decoded are dropped',
    patches: [
      {
        file: processBatch,
        find: 'section.deadLetters.push(this.#deadLetter(record, classified.error))',
        replace:
          'if (record.topic === this.#stage.inputs[0]?.name) section.deadLetters.push(this.#deadLetter(record, classified.error))'
      }
    ],
    faults: { 'poison-changes': 3, kill: 1 },
    services: ['inventory'],
    breaks: [14]
  },
  {
    name: 'reads-uncommitted',
    bug: 'records are read before their transaction is committed',
    patches: [
      {
        file: 'packages/kafka/fetch/fetch-rounds.ts',
        find: 'const readCommitted = 1',
        replace: 'const readCommitted = 0'
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['outputs-written', 'before-commit'],
    breaks: [3]
  },
  {
    name: 'stays-aborted',
    bug: 'after an aborted transaction, the later records of its producer are skipped',
    patches: [
      {
        file: 'packages/kafka/fetch/committed-batches.ts',
        find: 'if (markerType(batch) === abortMarker) abortedProducers.delete(batch.producerId)',
        replace: 'if (markerType(batch) === abortMarker + 9) abortedProducers.delete(batch.producerId)'
      }
    ],
    faults: { 'mute-at-point': 2, 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['outputs-written', 'before-commit'],
    breaks: [3]
  },
  {
    name: 'resumes-at-beginning',
    bug: 'a reader that resumes begins with the first record again',
    patches: [
      {
        file: 'packages/kafka/dead-letter-replay/reader.ts',
        find: 'partitions.filter(own => !beginnings.has(partitionKey(own)))',
        replace: 'partitions.filter(own => beginnings.size >= 0 || !beginnings.has(partitionKey(own)))'
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [3]
  }
]
