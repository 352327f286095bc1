import { randomBytes } from 'node:crypto'
import { type OptionSpec, parseDuration, parseNumber, plural, UsageError } from '@orderly/command-line'
import {
  type DeadLetterKey,
  executeOnDeadLetters,
  type KafkaConnection,
  type KeyLeftAlone,
  type OperationPlan,
  type OperationResult,
  planDrop,
  planOperation,
  planReplay
} from '@orderly/kafka'
import { type Command, type CommandContext, orderly } from '../command-line/command.ts'
import { byOption, operatorName, reasonOption } from '../command-line/operator.ts'
import { deadLetterJson } from './dead-letter-json.ts'
import { type DeadLetterFilter, describeFilter, filterOptions, matches, matchesKey, parseFilter } from './filter.ts'
import { formatKey, keyColumns } from './key-text.ts'
import { createOperationLog, toLogRecord } from './operation-log.ts'
import { describeMissing } from './originals.ts'
import { redeliver } from './redeliver.ts'
import { deadLetterTopics } from './topics.ts'

type Kind = 'replay' | 'drop'

const operationOptions: Readonly<Record<string, OptionSpec>> = {
  ...filterOptions,
  all: { type: 'boolean', description: 'select all pending dead letters; required without a filter' },
  'dry-run': { type: 'boolean', description: 'print what would be done, without doing it' },
  rate: { type: 'string', placeholder: 'N', description: 'maximum number of dead letters per second (default 500)' },
  wait: { type: 'string', placeholder: 'DURATION', description: 'maximum time to wait for the results (default 30s)' },
  by: byOption,
  reason: reasonOption
}

export const replayDeadLetters: Command = {
  name: 'dlq replay',
  summary: 'process dead letters again, in the order of each key',
  examples: ['dlq replay --topic orders.created --dry-run', 'dlq replay --topic orders.created --wait 2m'],
  options: operationOptions,
  run: context => operate('replay', context)
}

export const dropDeadLetters: Command = {
  name: 'dlq drop',
  summary: 'drop dead letters, and replay the records that only followed them',
  examples: ['dlq drop --topic orders.created --user ada --reason "the shop repeats the order"'],
  options: operationOptions,
  run: context => operate('drop', context)
}

async function operate(kind: Kind, context: CommandContext): Promise<number> {
  const { options, output, connections, signal } = context
  const filter = parseFilter(options, Date.now())
  const words = describeFilter(options)
  if (words === '' && !options.flag('all')) {
    throw new UsageError(`Select the dead letters to ${kind}: --topic, --user, --code or another filter, or --all.`)
  }
  const ratePerSecond = parseNumber(options.text('rate'), 'rate', { minimum: 1, maximum: 100_000, otherwise: 500 })
  const waitMs = parseDuration(options.text('wait'), 'wait', { maximumMs: 3_600_000, otherwiseMs: 30_000 })
  const connection = connections.kafka()
  const topics = await deadLetterTopics(connections.inspector(), filter.topics)
  const name = `${kind}-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes(3).toString('hex')}`
  const plan = planner(kind, filter, name)
  if (options.flag('dry-run')) return dryRun(kind, context, connection, topics, plan)

  await createOperationLog(connection)
  const audit = {
    operation: name,
    kind,
    by: operatorName(options.text('by')),
    reason: options.text('reason'),
    filter: words
  }
  const results: { readonly topic: string; readonly result: OperationResult }[] = []
  for (const topic of topics) {
    const operation = {
      topic,
      plan,
      ratePerSecond,
      audit: (step: Parameters<typeof toLogRecord>[1]) => toLogRecord({ ...audit, topic }, step),
      redeliver: (deadLetters: Parameters<typeof redeliver>[1]) => redeliver(connections.database(), deadLetters),
      onStep: ({ done, total }: { done: number; total: number }) => output.progress(`${topic}: ${done} of ${total}`)
    }
    try {
      results.push({
        topic,
        result: await executeOnDeadLetters(connection, operation, { signal, waitMs })
      })
    } catch (error) {
      const advice = 'Run the same command again: completed steps are not repeated.'
      output.progress(`${topic}: interrupted. ${advice}`)
      throw error
    }
  }
  return report(kind, context, name, results)
}

function planner(
  kind: Kind,
  filter: DeadLetterFilter,
  name: string
): (keys: readonly DeadLetterKey[]) => OperationPlan {
  return keys => {
    const chosen = keys.filter(key => matchesKey(filter, key))
    return kind === 'replay'
      ? planReplay(chosen, name)
      : planDrop(chosen, deadLetter => matches(filter, deadLetter), name)
  }
}

async function dryRun(
  kind: Kind,
  { output, signal }: CommandContext,
  connection: KafkaConnection,
  topics: readonly string[],
  plan: (keys: readonly DeadLetterKey[]) => OperationPlan
): Promise<number> {
  const { operations, leftAlone } = await planOperation(connection, topics, { plan, signal })
  const rows = operations.flatMap(({ replay, drop }) => [
    ...drop.map(deadLetter => ({ deadLetter, what: 'drop' })),
    ...replay.map(deadLetter => ({ deadLetter, what: 'replay' }))
  ])
  output.json({
    operation: kind,
    isDryRun: true,
    deadLetters: rows.map(({ deadLetter, what }) => ({ ...deadLetterJson(deadLetter), what })),
    leftAlone: leftAlone.map(leftAloneJson)
  })
  if (rows.length > 0) {
    output.table(
      [
        { title: 'WOULD', value: ({ what }) => what },
        { title: 'TOPIC', value: ({ deadLetter }) => deadLetter.topic },
        { title: 'AT', value: ({ deadLetter }) => `${deadLetter.partition}/${deadLetter.offset}` },
        { title: 'STAGE', value: ({ deadLetter }) => deadLetter.stage },
        ...keyColumns(({ deadLetter }: (typeof rows)[number]) => deadLetter.key),
        { title: 'CODE', value: ({ deadLetter }) => deadLetter.code }
      ],
      rows
    )
    output.line()
  }
  const count = (what: string) => rows.filter(row => row.what === what).length
  output.line(`Dry run: ${count('replay')} would be replayed, ${count('drop')} dropped; nothing was done.`)
  sayLeftAlone(leftAlone, output)
  return 0
}

function report(
  kind: Kind,
  { output }: CommandContext,
  name: string,
  results: readonly { readonly topic: string; readonly result: OperationResult }[]
): number {
  const answers = results.flatMap(({ topic, result }) => result.answers.map(one => ({ topic, ...one })))
  const leftAlone = results.flatMap(({ result }) => result.plan.leftAlone)
  const replayed = results.reduce((sum, { result }) => sum + result.replayed, 0)
  const dropped = results.reduce((sum, { result }) => sum + result.dropped, 0)
  const withAnswer = (wanted: string | undefined) => answers.filter(({ answer }) => answer === wanted)
  const [released, refused, silent] = [withAnswer('released'), withAnswer('refused'), withAnswer(undefined)]
  output.json({
    operation: name,
    kind,
    replayed,
    dropped,
    keys: answers.map(({ topic, operation, answer }) => ({
      topic,
      stage: operation.stage,
      key: operation.key && formatKey(operation.key),
      answer: answer ?? 'none yet'
    })),
    leftAlone: leftAlone.map(leftAloneJson)
  })
  if (replayed + dropped === 0)
    output.line(`No dead letters match the filter, nothing was done. ${orderly} dlq list shows the pending ones.`)
  else output.line(`${plural(replayed, 'dead letter')} replayed, ${dropped} dropped, in operation ${name}.`)
  if (released.length > 0) output.line(`${plural(released.length, 'key')} released: later records are processed.`)
  if (refused.length > 0) {
    output.line(
      `${plural(refused.length, 'key')} still blocked: a record failed again, or a later one became a dead letter. See ${orderly} dlq list.`
    )
  }
  if (silent.length > 0) {
    const stages = [...new Set(silent.map(({ operation }) => operation.stage))].join(', ')
    output.line(
      `${plural(silent.length, 'key')} without an answer yet: check that ${stages} runs, then see ${orderly} dlq list.`
    )
  }
  sayLeftAlone(leftAlone, output)
  const open = leftAlone.filter(({ why }) => why !== 'copied')
  return refused.length + silent.length + open.length === 0 ? 0 : 1
}

function leftAloneJson({ key, why, missing }: KeyLeftAlone) {
  const deadLetter = missing && { partition: missing.deadLetter.partition, offset: missing.deadLetter.offset }
  const original = missing && { ...missing.original, deadLetter }
  return { topic: key.topic, key: key.key && formatKey(key.key), why, original }
}

function sayLeftAlone(leftAlone: OperationPlan['leftAlone'], output: CommandContext['output']): void {
  const inFlight = leftAlone.filter(({ why }) => why === 'in-flight').length
  const interrupted = leftAlone.filter(({ why }) => why === 'interrupted').length
  if (inFlight > 0)
    output.line(`${plural(inFlight, 'key')} unchanged: a replay is in progress, and its stage has not answered.`)
  if (interrupted > 0) {
    output.line(`${plural(interrupted, 'key')} unchanged: a replay was interrupted. ${orderly} dlq replay finishes it.`)
  }
  const lost = leftAlone.filter(({ why }) => why === 'original-missing')
  if (lost.length > 0) {
    output.line(`${plural(lost.length, 'key')} unchanged: a dead letter is reduced, and its record cannot be replayed.`)
    for (const one of lost) output.line(`  ${describeMissing(one)}`)
    output.line(`${orderly} dlq drop drops such dead letters. Later records of their keys are then processed.`)
  }
  const copied = leftAlone.filter(({ why }) => why === 'copied').map(({ key }) => key)
  for (const [topic, keys] of Map.groupBy(copied, ({ topic }) => topic)) {
    const what = `${plural(keys.length, 'key')} unchanged: the dead letters in ${topic} are copies from Kafka Connect, so there is nothing to replay.`
    output.line(`${what} ${orderly} dlq drop --topic ${topic} drops them.`)
  }
}
