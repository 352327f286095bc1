import { connectTopics, defaultsOf, eventHeaders, type OrderCreated, orderCreatedSchemas } from '@orderly/contracts'
import { type RecordHeaders, recordHeaders } from '@orderly/kafka'
import { newTraceparent } from '@orderly/service-kit'
import type { Arguments } from '../arguments.ts'
import { type Contestant, type Measured, measureInRounds } from '../measure/rounds.ts'
import { createLocalRegistry } from '../orders/local-topics.ts'
import type { ScenarioReport } from '../report/scenario-report.ts'

const defaults = defaultsOf(orderCreatedSchemas)

/**
 * Compares our codec as the services use it (wire format, bounds check, schema resolution) with
 * JSON from and to bytes.
 */
export async function benchCodec({ quick }: Pick<Arguments, 'quick'>): Promise<ScenarioReport> {
  const options = { rounds: quick ? 5 : 15, roundMs: 60, samples: 512 }
  const registry = createLocalRegistry()
  const { ordersCreated: old } = await connectTopics(registry, { ordersCreated: 1 })
  const { ordersCreated: current } = await connectTopics(registry, { ordersCreated: 'write' })
  const lines = [
    `OrderCreated, ${options.rounds} rounds of ${options.roundMs} ms in turns; ratio: time relative to JSON in the same round\n`
  ]
  const result: string[] = []
  for (const items of [2, 20]) {
    const orders = Array.from({ length: options.samples }, (_, index) => anOrder(index, items))
    const json = orders.map(order => Buffer.from(JSON.stringify(order)))
    const avro = orders.map(order => current.codec.encode(order))
    const version1 = orders.map(order => old.codec.encode(order))
    await current.codec.prepare([avro[0] as Buffer, version1[0] as Buffer])
    const [headers, headersOfVersion1] = [current, old].map(topic =>
      recordHeaders(eventHeaders(topic, 'id', newTraceparent()))
    )
    // A stage, too, calls isPrepared for each record.
    const decode = (value: Buffer, headers?: RecordHeaders) => {
      current.codec.isPrepared(value, 0, value.length, headers)
      return current.codec.decode(value, 0, value.length, headers)
    }
    const encoding: Contestant[] = [
      { name: 'JSON.stringify to bytes', run: index => Buffer.from(JSON.stringify(orders[index])) },
      { name: 'Avro', run: index => current.codec.encode(orders[index] as OrderCreated) }
    ]
    const decoding: Contestant[] = [
      { name: 'JSON.parse from bytes', run: index => JSON.parse((json[index] as Buffer).toString()) },
      { name: 'Avro', run: index => decode(avro[index] as Buffer, headers) },
      { name: 'Avro V1 read as the newest', run: index => decode(version1[index] as Buffer, headersOfVersion1) },
      { name: 'Avro without a fingerprint', run: index => decode(avro[index] as Buffer) }
    ]
    const [encoded, decoded] = [encoding, decoding].map(contestants => measureInRounds(contestants, options))
    const ratioOf = (measured: readonly Measured[] = []) => measured[1]?.ratio.toFixed(2)
    result.push(
      `an order of ${items} lines takes ${ratioOf(encoded)} times as long as JSON to encode, ${ratioOf(decoded)} to decode`
    )
    lines.push(
      `${items} lines: ${meanBytes(json)} bytes as JSON, ${meanBytes(avro)} as Avro`,
      ...(encoded ?? []).map(measured => describe('encode', measured)),
      ...(decoded ?? []).map(measured => describe('decode', measured)),
      ''
    )
  }
  return { title: 'The codec', result: result.join('; '), markdown: `\`\`\`\n${lines.join('\n')}\n\`\`\`` }
}

function describe(operation: string, { name, medianNs, fastestNs, slowestNs, ratio }: Measured): string {
  const time = `${Math.round(medianNs)} ns`.padStart(8)
  const range = `(${Math.round(fastestNs)} to ${Math.round(slowestNs)})`.padEnd(16)
  return `  ${operation}  ${name.padEnd(24)} ${time} ${range} × ${ratio.toFixed(2)}`
}

function meanBytes(values: readonly Buffer[]): number {
  return Math.round(values.reduce((sum, value) => sum + value.length, 0) / values.length)
}

function anOrder(index: number, items: number): OrderCreated {
  return {
    ...defaults,
    orderID: `01982d4e-7c1a-7${String(index).padStart(3, '0')}-8f3e-${String(index * 7919).padStart(12, '0')}`,
    userID: `user-${index * 31}`,
    items: Array.from({ length: items }, (_, line) => ({
      sku: `TEA-EARL-GREY-${line}-${index}G`,
      quantity: 1 + ((index + line) % 9)
    })),
    totalMinor: 1_380 + index * 97,
    createdAtMs: 1_700_000_000_000 + index
  }
}
