/**
 * Example: one stage reads text, JSON and Avro, and writes Avro.
 *
 * A codec turns values into events and back. A value that its codec cannot decode becomes a dead
 * letter with the code `UNREADABLE`. An own codec is an object with the methods of `Codec`.
 */
import {
  avroCodec,
  type Codec,
  jsonCodec,
  type KafkaConnection,
  type Logger,
  type RunningStage,
  runStage,
  stringCodec,
  type Topic
} from '@orderly/kafka'
import avro, { type Schema } from 'avsc'

export interface Reading {
  readonly sensor: string
  readonly celsius: number
}

export const readingSchema: Schema = {
  type: 'record',
  name: 'Reading',
  fields: [
    { name: 'sensor', type: 'string' },
    { name: 'celsius', type: 'double' }
  ]
}

export const textReadings: Topic<string> = { name: 'codecs.text', eventType: 'Reading', codec: stringCodec }

export const jsonReadings: Topic<Reading> = {
  name: 'codecs.json',
  eventType: 'Reading',
  codec: jsonCodec({
    // Any validation library fits here. Without `parse` every JSON value is accepted.
    parse(value): Reading {
      const { sensor, celsius } = value as Partial<Reading>
      if (typeof sensor !== 'string' || typeof celsius !== 'number') throw new TypeError('sensor or celsius is missing')
      return { sensor, celsius }
    }
  })
}

const type = avro.Type.forSchema(readingSchema)
const contentType = 'application/vnd.schemaregistry.v1+json'

/**
 * Creates the codec of Avro in the wire format of Confluent's registry: registers the schema, and
 * loads those of other writers when they occur.
 */
export async function createReadingCodec(registryURL: string, subject: string): Promise<Codec<Reading>> {
  const answer = await fetch(`${registryURL}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': contentType },
    body: JSON.stringify({ schema: JSON.stringify(readingSchema) })
  })
  if (!answer.ok) throw new Error(`the registry refused the schema: ${await answer.text()}`)
  const { id: schemaID } = (await answer.json()) as { id: number }
  const loadType = async (id: number) => {
    const answer = await fetch(`${registryURL}/schemas/ids/${id}`)
    if (answer.status === 404) return undefined
    if (!answer.ok) throw Object.assign(new Error(`the registry answered ${answer.status}`), { retryable: true })
    return avro.Type.forSchema(JSON.parse(((await answer.json()) as { schema: string }).schema))
  }
  return avroCodec<Reading>({ type, loadType, schemaID })
}

/** Starts a stage that copies readings of all formats to an Avro topic. */
export function startNormalizing(
  avro: { readonly input: Topic<Reading>; readonly output: Topic<Reading> },
  connection: KafkaConnection,
  logger: Logger
): RunningStage {
  const toReading = (event: string | Reading): Reading => {
    if (typeof event !== 'string') return event
    const [sensor = '', celsius] = event.split('=')
    return { sensor, celsius: Number(celsius) }
  }
  return runStage<string | Reading>(
    {
      name: 'normalizing',
      group: 'codecs',
      inputs: [textReadings, jsonReadings, avro.input],
      process: async records =>
        records.map(({ key, event }) => {
          return { topic: avro.output.name, key, value: avro.output.codec.encode(toReading(event)), headers: {} }
        })
    },
    {
      connection,
      transactionalID: 'normalizing-1',
      instanceID: 'normalizing-1',
      // The registry may be away.
      isTransient: error => (error as { retryable?: boolean }).retryable === true || error instanceof TypeError,
      logger
    }
  )
}
