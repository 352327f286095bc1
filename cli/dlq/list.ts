import { formatDuration, formatTime, parseNumber, plural } from '@orderly/command-line'
import { type DeadLetter, type DeadLetterKey, deadLetterHeader, readDeadLetters } from '@orderly/kafka'
import type { Command } from '../command-line/command.ts'
import { deadLetterJson } from './dead-letter-json.ts'
import { filterOptions, matches, parseFilter } from './filter.ts'
import { formatKey, keyColumns } from './key-text.ts'
import { deadLetterTopics } from './topics.ts'

export const listDeadLetters: Command = {
  name: 'dlq list',
  summary: 'list pending dead letters',
  examples: ['dlq list', 'dlq list --topic orders.created --since 2h'],
  options: {
    ...filterOptions,
    limit: { type: 'string', placeholder: 'N', description: 'show at most N dead letters (default 100)' }
  },
  async run({ options, output, connections, signal }) {
    const nowMs = Date.now()
    const filter = parseFilter(options, nowMs)
    const limit = parseNumber(options.text('limit'), 'limit', { minimum: 1, maximum: 1_000_000, otherwise: 100 })
    const topics = await deadLetterTopics(connections.inspector(), filter.topics)
    const keys = await readDeadLetters(connections.kafka(), topics, signal)
    const rows = keys.flatMap(key =>
      key.deadLetters.map(deadLetter => ({ deadLetter, keyID: key.id, state: stateOf(key) }))
    )
    const found = rows.filter(({ deadLetter }) => matches(filter, deadLetter))
    const shown = found.slice(0, limit)
    output.json({
      deadLetters: shown.map(({ deadLetter, state }) => ({ ...deadLetterJson(deadLetter), state })),
      count: found.length,
      inFlight: keys.filter(({ inFlight }) => inFlight !== undefined).map(keyJson)
    })
    if (found.length > 0) {
      output.table(
        [
          { title: 'TOPIC', value: ({ deadLetter }) => deadLetter.topic },
          { title: 'AT', value: ({ deadLetter }) => `${deadLetter.partition}/${deadLetter.offset}` },
          { title: 'STAGE', value: ({ deadLetter }) => deadLetter.stage },
          ...keyColumns(({ deadLetter }: (typeof shown)[number]) => deadLetter.key),
          { title: 'CODE', value: ({ deadLetter }) => deadLetter.code },
          { title: 'WRITTEN', value: ({ deadLetter }) => formatTime(deadLetter.timestampMs) },
          { title: 'EVENT', value: ({ deadLetter }) => eventOf(deadLetter) },
          { title: 'STATE', value: ({ deadLetter, state }) => `${state}${formOf(deadLetter)}` }
        ],
        shown
      )
      output.line()
    }
    const keyCount = new Set(found.map(({ keyID }) => keyID)).size
    const oldestMs = Math.min(...found.map(({ deadLetter }) => deadLetter.timestampMs))
    const age = found.length === 0 ? '' : `; the oldest was written ${formatDuration(nowMs - oldestMs)} ago`
    const left = found.length > shown.length ? ` (showing the first ${shown.length}, see --limit)` : ''
    output.line(`${plural(found.length, 'dead letter')} of ${plural(keyCount, 'key')}${left}${age}.`)
    const awaited = keys.filter(
      ({ deadLetters, inFlight }) => deadLetters.length === 0 && inFlight !== undefined
    ).length
    if (awaited > 0) output.line(`${plural(awaited, 'more key')} replayed; the stage has not answered yet.`)
    return 0
  }
}

function stateOf({ inFlight }: DeadLetterKey): string {
  if (inFlight === undefined) return 'pending'
  return inFlight.isOpen ? 'interrupted' : 'written during a replay'
}

function formOf({ reduced, batch }: DeadLetter): string {
  return batch !== undefined ? ', batch' : reduced !== undefined ? ', reduced' : ''
}

function keyJson({ topic, stage, key, inFlight }: DeadLetterKey) {
  return { topic, stage, key: key && formatKey(key), operation: inFlight?.name, isInterrupted: inFlight?.isOpen }
}

function eventOf(deadLetter: DeadLetter): string | undefined {
  const target = deadLetterHeader(deadLetter, 'notification-target')
  const event = deadLetterHeader(deadLetter, 'event-id')
  return target === undefined ? event : `${event} to ${target}`
}
