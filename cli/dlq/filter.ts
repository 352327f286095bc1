import { type OptionSpec, type OptionValues, parseMoment, UsageError } from '@orderly/command-line'
import type { DeadLetter, DeadLetterKey } from '@orderly/kafka'
import { ownerOf, parseKey } from './key-text.ts'

/** Filter for dead letters; an omitted option matches all. */
export interface DeadLetterFilter {
  readonly topics: readonly string[]
  readonly stages: readonly string[]
  /**
   * A dead letter matches if it has one of the keys or one of the users. Without both, every key
   * matches.
   */
  readonly keys: readonly Buffer[]
  readonly users: readonly string[]
  readonly callers: readonly string[]
  readonly codes: readonly string[]
  readonly sinceMs: number | undefined
  readonly untilMs: number | undefined
  readonly partition: number | undefined
  readonly offsets: { readonly first: bigint; readonly last: bigint } | undefined
}

export const filterOptions: Readonly<Record<string, OptionSpec>> = {
  topic: {
    type: 'string',
    multiple: true,
    placeholder: 'TOPIC',
    description: 'dead letters of this topic, with or without .dlq; may be repeated'
  },
  stage: {
    type: 'string',
    multiple: true,
    placeholder: 'STAGE',
    description: 'written by this stage; may be repeated'
  },
  key: {
    type: 'string',
    multiple: true,
    placeholder: 'KEY',
    description: 'with this key, as text or as hex:00ff; may be repeated'
  },
  user: {
    type: 'string',
    multiple: true,
    placeholder: 'USER',
    description: 'of this user of any caller; may be repeated'
  },
  caller: {
    type: 'string',
    multiple: true,
    placeholder: 'CALLER',
    description: 'of orders that this caller placed; may be repeated'
  },
  code: { type: 'string', multiple: true, placeholder: 'CODE', description: 'with this code; may be repeated' },
  since: {
    type: 'string',
    placeholder: 'TIME',
    description: 'written at or after this time: 2026-01-31T12:00Z, or 2h for two hours ago'
  },
  until: { type: 'string', placeholder: 'TIME', description: 'written before this time' },
  partition: { type: 'string', placeholder: 'N', description: 'in this partition of the dead-letter topic' },
  offset: {
    type: 'string',
    placeholder: 'A[-B]',
    description: 'at this offset of the dead-letter topic, or from A to B'
  }
}

/** Parses the options of a filter. @throws UsageError */
export function parseFilter(options: OptionValues, nowMs: number): DeadLetterFilter {
  const moment = (name: string) => {
    const text = options.text(name)
    return text === undefined ? undefined : parseMoment(text, name, nowMs)
  }
  const partition = options.text('partition')
  if (partition !== undefined && !/^\d{1,6}$/.test(partition))
    throw new UsageError(`--partition is "${partition}": give a partition number, 0 or greater.`)
  return {
    topics: options.texts('topic').map(topic => (topic.endsWith('.dlq') ? topic : `${topic}.dlq`)),
    stages: options.texts('stage'),
    keys: options.texts('key').map(text => parseKey(text, 'key')),
    users: options.texts('user'),
    callers: options.texts('caller'),
    codes: options.texts('code'),
    sinceMs: moment('since'),
    untilMs: moment('until'),
    partition: partition === undefined ? undefined : Number(partition),
    offsets: parseOffsets(options.text('offset'))
  }
}

function parseOffsets(text: string | undefined): DeadLetterFilter['offsets'] {
  if (text === undefined) return undefined
  const [, first, last = first] = /^(\d{1,18})(?:-(\d{1,18}))?$/.exec(text) ?? []
  if (first === undefined || last === undefined || BigInt(last) < BigInt(first))
    throw new UsageError(`--offset is "${text}": give an offset like 17, or a range like 17-20.`)
  return { first: BigInt(first), last: BigInt(last) }
}

export function matches(filter: DeadLetterFilter, deadLetter: DeadLetter): boolean {
  const { topics, stages, keys, users, callers, codes, sinceMs, untilMs, partition, offsets } = filter
  const { userID, caller } = ownerOf(deadLetter.key) ?? {}
  const isOneOf = (texts: readonly string[], text: string | undefined) =>
    texts.length === 0 || (text !== undefined && texts.includes(text))
  return (
    isOneOf(topics, deadLetter.topic) &&
    isOneOf(stages, deadLetter.stage) &&
    (keys.length + users.length === 0 ||
      keys.some(key => deadLetter.key?.equals(key)) ||
      (userID !== undefined && users.includes(userID))) &&
    isOneOf(callers, caller) &&
    isOneOf(codes, deadLetter.code) &&
    deadLetter.timestampMs >= (sinceMs ?? Number.NEGATIVE_INFINITY) &&
    deadLetter.timestampMs < (untilMs ?? Number.POSITIVE_INFINITY) &&
    (partition === undefined || deadLetter.partition === partition) &&
    (offsets === undefined || (deadLetter.offset >= offsets.first && deadLetter.offset <= offsets.last))
  )
}

/**
 * Returns true if a dead letter of the key matches. A key without dead letters, because all are
 * replayed, never matches.
 */
export function matchesKey(filter: DeadLetterFilter, key: DeadLetterKey): boolean {
  return key.deadLetters.some(deadLetter => matches(filter, deadLetter))
}

/** Returns the filter as options, for the audit and the summary; empty for everything. */
export function describeFilter(options: OptionValues): string {
  return Object.keys(filterOptions)
    .flatMap(name => {
      const values = filterOptions[name]?.multiple ? options.texts(name) : [options.text(name)]
      return values.filter(value => value !== undefined).map(value => `--${name} ${value}`)
    })
    .join(' ')
}
