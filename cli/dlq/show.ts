import { formatTime, plural } from '@orderly/command-line'
import { connectTopics, type SchemaRegistry, type Topics, topicNames } from '@orderly/contracts'
import { type DeadLetter, originalsOf, readDeadLetters, recordHeaders } from '@orderly/kafka'
import { type Command, Failure, orderly } from '../command-line/command.ts'
import { explain } from '../command-line/explain.ts'
import { deadLetterJson } from './dead-letter-json.ts'
import { filterOptions, matches, parseFilter } from './filter.ts'
import { formatKey, ownerOf } from './key-text.ts'
import { describeOriginal, describeReduced } from './originals.ts'
import { deadLetterTopics } from './topics.ts'

const mostShown = 20

export const showDeadLetters: Command = {
  name: 'dlq show',
  summary: 'show dead letters in full: headers and, if readable, content',
  examples: ['dlq show --topic orders.created --user ada'],
  options: filterOptions,
  async run({ options, output, connections, signal }) {
    const filter = parseFilter(options, Date.now())
    const topics = await deadLetterTopics(connections.inspector(), filter.topics)
    const keys = await readDeadLetters(connections.kafka(), topics, signal)
    const deadLetters = keys.flatMap(key => key.deadLetters).filter(deadLetter => matches(filter, deadLetter))
    if (deadLetters.length === 0)
      throw new Failure(`No dead letters match the filter. ${orderly} dlq list shows the pending ones.`)
    const shown = deadLetters.slice(0, mostShown)
    const contents = await Promise.all(shown.map(deadLetter => contentOf(deadLetter, connections.registry())))
    const originals = await originalsOf(connections.kafka(), shown)
    output.json(
      shown.map((deadLetter, index) => ({
        ...deadLetterJson(deadLetter),
        headers: headersOf(deadLetter),
        ...contents[index],
        original: originals.get(deadLetter)
      }))
    )
    for (const [index, deadLetter] of shown.entries()) {
      const { value, unreadable } = contents[index] ?? {}
      output.line(`${deadLetter.topic} ${deadLetter.partition}/${deadLetter.offset}`)
      const owner = ownerOf(deadLetter.key)
      if (owner?.caller !== undefined) output.line(`  caller   ${owner.caller}`)
      if (owner?.caller !== undefined) output.line(`  user     ${owner.userID}`)
      else output.line(`  key      ${deadLetter.key === null ? 'none' : formatKey(deadLetter.key)}`)
      output.line(`  stage    ${deadLetter.stage}`)
      output.line(`  why      ${deadLetter.code}: ${deadLetter.reason}`)
      output.line(`  written  ${formatTime(deadLetter.timestampMs)}`)
      const { source } = deadLetter
      if (source.topic !== '') output.line(`  from     ${source.topic} ${source.partition}/${source.offset}`)
      for (const line of describeReduced(deadLetter)) output.line(`  ${line}`)
      const original = originals.get(deadLetter)
      if (original !== undefined) output.line(`  original ${describeOriginal(deadLetter, original)}`)
      if (deadLetter.replay !== undefined) output.line(`  replay   failed again in ${deadLetter.replay}`)
      for (const [name, text] of headersOf(deadLetter))
        output.line(`  header   ${name}${text === null ? ' is null' : `: ${text}`}`)
      if (unreadable !== undefined) output.line(`  value    cannot be read: ${unreadable}`)
      for (const line of value === undefined ? [] : JSON.stringify(value, null, 2).split('\n')) output.line(`  ${line}`)
      output.line()
    }
    output.line(
      `${plural(deadLetters.length, 'dead letter')}${deadLetters.length > mostShown ? `, showing the first ${mostShown}` : ''}.`
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
