import { type DeadLetter, type LetterKey, letterHeader, readDeadLetters } from '@orderly/kafka'
import type { Command } from '../command-line/command.ts'
import { parseNumber, plural } from '../command-line/numbers.ts'
import { formatDuration, formatTime } from '../command-line/time.ts'
import { filterOptions, matches, parseFilter } from './filter.ts'
import { formatKey, keyColumns } from './key-text.ts'
import { letterJson } from './letter-json.ts'
import { deadLetterTopics } from './topics.ts'

export const listLetters: Command = {
  name: 'dlq list',
  summary: 'list pending dead letters',
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
    const rows = keys.flatMap(key => key.letters.map(letter => ({ letter, keyID: key.id, state: stateOf(key) })))
    const found = rows.filter(({ letter }) => matches(filter, letter))
    const shown = found.slice(0, limit)
    output.json({
      letters: shown.map(({ letter, state }) => ({ ...letterJson(letter), state })),
      count: found.length,
      underWay: keys.filter(({ underWay }) => underWay !== undefined).map(keyJson)
    })
    if (found.length > 0) {
      output.table(
        [
          { title: 'TOPIC', value: ({ letter }) => letter.topic },
          { title: 'AT', value: ({ letter }) => `${letter.partition}/${letter.offset}` },
          { title: 'STAGE', value: ({ letter }) => letter.stage },
          ...keyColumns(({ letter }: (typeof shown)[number]) => letter.key),
          { title: 'CODE', value: ({ letter }) => letter.code },
          { title: 'WRITTEN', value: ({ letter }) => formatTime(letter.timestampMs) },
          { title: 'EVENT', value: ({ letter }) => eventOf(letter) },
          { title: 'STATE', value: ({ letter, state }) => `${state}${formOf(letter)}` }
        ],
        shown
      )
      output.line()
    }
    const keyCount = new Set(found.map(({ keyID }) => keyID)).size
    const oldestMs = Math.min(...found.map(({ letter }) => letter.timestampMs))
    const age = found.length === 0 ? '' : `; the oldest was written ${formatDuration(nowMs - oldestMs)} ago`
    const left = found.length > shown.length ? ` (showing the first ${shown.length}, see --limit)` : ''
    output.line(`${plural(found.length, 'dead letter')} of ${plural(keyCount, 'key')}${left}${age}.`)
    const awaited = keys.filter(({ letters, underWay }) => letters.length === 0 && underWay !== undefined).length
    if (awaited > 0) output.line(`${plural(awaited, 'more key')} replayed; the stage has not answered yet.`)
    return 0
  }
}

function stateOf({ underWay }: LetterKey): string {
  if (underWay === undefined) return 'pending'
  return underWay.isOpen ? 'interrupted' : 'written during a replay'
}

function formOf({ reduced, batch }: DeadLetter): string {
  return batch !== undefined ? ', batch' : reduced !== undefined ? ', reduced' : ''
}

function keyJson({ topic, stage, key, underWay }: LetterKey) {
  return { topic, stage, key: key && formatKey(key), operation: underWay?.name, isInterrupted: underWay?.isOpen }
}

function eventOf(letter: DeadLetter): string | undefined {
  const target = letterHeader(letter, 'notification-target')
  const event = letterHeader(letter, 'event-id')
  return target === undefined ? event : `${event} to ${target}`
}
