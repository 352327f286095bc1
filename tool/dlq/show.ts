import { connectTopics, type SchemaRegistry, type Topics, topicNames } from '@orderly/contracts'
import { type DeadLetter, originalsOf, readDeadLetters, recordHeaders } from '@orderly/kafka'
import { type Command, Failure, orderly } from '../command-line/command.ts'
import { explain } from '../command-line/explain.ts'
import { plural } from '../command-line/numbers.ts'
import { formatTime } from '../command-line/time.ts'
import { filterOptions, matches, parseFilter } from './filter.ts'
import { formatKey, ownerOf } from './key-text.ts'
import { letterJson } from './letter-json.ts'
import { describeOriginal, describeReduced } from './originals.ts'
import { deadLetterTopics } from './topics.ts'

const mostShown = 20

export const showLetters: Command = {
  name: 'dlq show',
  summary: 'show dead letters in full: headers and, if readable, content',
  options: filterOptions,
  async run({ options, output, connections, signal }) {
    const filter = parseFilter(options, Date.now())
    const topics = await deadLetterTopics(connections.inspector(), filter.topics)
    const keys = await readDeadLetters(connections.kafka(), topics, signal)
    const letters = keys.flatMap(key => key.letters).filter(letter => matches(filter, letter))
    if (letters.length === 0)
      throw new Failure(`No dead letters match the filter. ${orderly} dlq list shows the pending ones.`)
    const shown = letters.slice(0, mostShown)
    const contents = await Promise.all(shown.map(letter => contentOf(letter, connections.registry())))
    const originals = await originalsOf(connections.kafka(), shown)
    output.json(
      shown.map((letter, index) => ({
        ...letterJson(letter),
        headers: headersOf(letter),
        ...contents[index],
        original: originals.get(letter)
      }))
    )
    for (const [index, letter] of shown.entries()) {
      const { value, unreadable } = contents[index] ?? {}
      output.line(`${letter.topic} ${letter.partition}/${letter.offset}`)
      const owner = ownerOf(letter.key)
      if (owner?.caller !== undefined) output.line(`  caller   ${owner.caller}`)
      if (owner?.caller !== undefined) output.line(`  user     ${owner.userID}`)
      else output.line(`  key      ${letter.key === null ? 'none' : formatKey(letter.key)}`)
      output.line(`  stage    ${letter.stage}`)
      output.line(`  why      ${letter.code}: ${letter.reason}`)
      output.line(`  written  ${formatTime(letter.timestampMs)}`)
      const { source } = letter
      if (source.topic !== '') output.line(`  from     ${source.topic} ${source.partition}/${source.offset}`)
      for (const line of describeReduced(letter)) output.line(`  ${line}`)
      const original = originals.get(letter)
      if (original !== undefined) output.line(`  original ${describeOriginal(letter, original)}`)
      if (letter.replay !== undefined) output.line(`  replay   failed again in ${letter.replay}`)
      for (const [name, text] of headersOf(letter))
        output.line(`  header   ${name}${text === null ? ' is null' : `: ${text}`}`)
      if (unreadable !== undefined) output.line(`  value    cannot be read: ${unreadable}`)
      for (const line of value === undefined ? [] : JSON.stringify(value, null, 2).split('\n')) output.line(`  ${line}`)
      output.line()
    }
    output.line(
      `${plural(letters.length, 'dead letter')}${letters.length > mostShown ? `, showing the first ${mostShown}` : ''}.`
    )
    return 0
  }
}

/** Returns headers as pairs, because names may repeat. */
function headersOf({ headers }: DeadLetter): (readonly [name: string, text: string | null])[] {
  return headers.map(([name, content]) => [name.toString(), content?.toString() ?? null])
}

interface Content {
  readonly value?: unknown
  /** Reason why the value cannot be decoded; `bytes` is then set. */
  readonly unreadable?: string
  readonly bytes?: string
}

/**
 * Decodes an event with the codec of its topic, and other values as JSON. An undecodable value is
 * returned as bytes.
 */
async function contentOf({ source, value, headers, reduced }: DeadLetter, registry: SchemaRegistry): Promise<Content> {
  if (value === null) return reduced === undefined ? { value: null } : {}
  const name = (Object.keys(topicNames) as (keyof Topics)[]).find(name => topicNames[name] === source.topic)
  try {
    if (name === undefined) return { value: JSON.parse(value.toString()) }
    const { codec } = (await connectTopics(registry, { [name]: 'read' }))[name] as Topics[typeof name]
    const own = recordHeaders(headers)
    await codec.prepare([value], [own])
    return { value: codec.decode(value, 0, value.length, own) }
  } catch (error) {
    return { unreadable: explain(error).split('\n')[0] ?? '', bytes: value.toString('base64') }
  }
}
