import fc, { type Arbitrary } from 'fast-check'
import { type ApiDocument, type LocatedOperation, type Parameter, resolve } from './document.ts'
import { goodValues } from './good-values.ts'

export interface FuzzRequest {
  readonly method: string
  /** Path with query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** Values of earlier responses by field name. Parameters of the same name reuse them. */
export type Known = ReadonlyMap<string, readonly string[]>

/** Generates requests that the document allows. */
export function goodRequests(document: ApiDocument, located: LocatedOperation, known: Known): Arbitrary<FuzzRequest> {
  return fc.tuple(parameters(document, located, known), goodBody(document, located)).map(([given, sent]) => {
    return toRequest(located, given, sent)
  })
}

/** Generates requests that violate the document in one way each. By chance, some are valid. */
export function badRequests(document: ApiDocument, located: LocatedOperation, known: Known): Arbitrary<FuzzRequest> {
  const good = fc.tuple(parameters(document, located, known), goodBody(document, located))
  const ways = [
    fc
      .tuple(good, badParameter(located))
      .map(([[given, sent], wrong]) => toRequest(located, { ...given, ...wrong }, sent)),
    ...(located.path.includes('{')
      ? [fc.tuple(good, undecodable).map(([[given, sent], end]) => toRequest(endingIn(end, located), given, sent))]
      : []),
    ...(located.operation.requestBody === undefined
      ? [
          fc
            .tuple(good, located.method === 'POST' ? badBody() : fc.constant(undefined))
            .map(([[given], sent]) => toRequest(located, given, sent))
        ]
      : [
          fc.tuple(good, badBody()).map(([[given], sent]) => toRequest(located, given, sent)),
          fc
            .tuple(good, spoil())
            .map(([[given, sent], spoilBody]) =>
              toRequest(located, given, sent && { ...sent, body: spoilBody(sent.body) })
            )
        ])
  ]
  return fc.oneof(...ways)
}

const undecodable = fc.constantFrom('%', '%ff', '%c3%28')

/** Appends an unencoded suffix to the first path parameter. */
function endingIn(end: string, located: LocatedOperation): LocatedOperation {
  return { ...located, path: located.path.replace('}', `}${end}`) }
}

type Given = Readonly<Record<string, { readonly in: Parameter['in']; readonly values: readonly string[] }>>
interface Sent {
  readonly type: string
  readonly body: string
}

function parameters(document: ApiDocument, { operation }: LocatedOperation, known: Known): Arbitrary<Given> {
  const fields = (operation.parameters ?? []).map(({ name, in: location, schema, required = false }) => {
    const values = known.get(name) ?? []
    const fresh = (goodValues(document, schema) as Arbitrary<string>).filter(isSendable(location))
    // Known values are used unfiltered; they come from responses and not from this parameter's
    // schema.
    const value = values.length === 0 ? fresh : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...values) }, fresh)
    const found = value.map(text => ({ in: location, values: [text] }))
    return [name, required ? found : fc.option(found, { nil: undefined, freq: 2 })] as const
  })
  return fc
    .record(Object.fromEntries(fields))
    .map(record => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Given)
}

/**
 * Returns a filter for texts that can be sent in a header or path. Empty texts and dots would
 * change the path.
 */
function isSendable(location: Parameter['in']): (text: string) => boolean {
  return text =>
    location === 'header' ? /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) : !/^\.{0,2}$/.test(text)
}

function goodBody(document: ApiDocument, { operation }: LocatedOperation): Arbitrary<Sent | undefined> {
  const content = Object.entries(operation.requestBody?.content ?? {})
  if (content.length === 0) return fc.constant(undefined)
  return fc.oneof(
    ...content.map(([type, { schema }]) => {
      // The document describes the lines by the JSON form of the same list.
      const described = isLines(type) ? (operation.requestBody?.content['application/json']?.schema ?? schema) : schema
      return goodValues(document, resolve(document, described)).map(value => ({ type, body: textOf(type, value) }))
    })
  )
}

function isLines(type: string): boolean {
  return type.endsWith('ndjson')
}

function textOf(type: string, value: unknown): string {
  if (!isLines(type)) return JSON.stringify(value)
  return (value as unknown[]).map(line => JSON.stringify(line)).join('\n')
}

function badParameter({ operation }: LocatedOperation): Arbitrary<Given> {
  const rubbish = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ minLength: 200, maxLength: 2_000 }))
  const declared = (operation.parameters ?? []).map(({ name, in: location }) =>
    (location === 'query'
      ? fc.array(rubbish, { maxLength: 3 })
      : rubbish.filter(isSendable(location)).map(text => [text])
    ).map(values => ({ [name]: { in: location, values } }))
  )
  const undeclared = fc
    .tuple(fc.stringMatching(/^[a-z]{1,12}$/), rubbish)
    .map(([name, text]) => ({ [name]: { in: 'query' as const, values: [text] } }))
  return fc.oneof(undeclared, ...declared)
}

/** Generates bodies unrelated to the document; undefined means no body. */
function badBody(): Arbitrary<Sent | undefined> {
  const type = fc.constantFrom('application/json', 'application/x-ndjson', 'text/plain', 'application/xml', 'rubbish')
  const body = fc.oneof(
    fc.json(),
    fc.string({ unit: 'binary' }),
    fc.integer({ min: 1, max: 5_000 }).map(depth => `${'['.repeat(depth)}${']'.repeat(depth)}`),
    fc.integer({ min: 1, max: 5_000 }).map(depth => '{"a":'.repeat(depth)),
    fc.constantFrom('', 'null', '{"__proto__":{"a":1}}', '{"constructor":{"prototype":{}}}', '[]', '[null]', '1e999')
  )
  return fc.option(fc.record({ type, body }), { nil: undefined, freq: 10 })
}

/**
 * Generates functions that change a body in one way: truncate it, or remove, replace or add a
 * value.
 */
function spoil(): Arbitrary<(body: string) => string> {
  const index = fc.nat()
  const cut = index.map(at => (body: string) => body.slice(0, at % Math.max(1, body.length)))
  const change = fc.tuple(index, fc.constantFrom('remove', 'replace', 'add'), fc.jsonValue()).map(
    ([at, how, value]) =>
      (body: string) =>
        changeValue(body, at, how, value)
  )
  return fc.oneof({ weight: 1, arbitrary: cut }, { weight: 5, arbitrary: change })
}

function changeValue(body: string, at: number, how: string, value: unknown): string {
  let root: unknown
  try {
    root = JSON.parse(body)
  } catch {
    return body.slice(1)
  }
  const fields = fieldsIn(root)
  const field = fields[at % Math.max(1, fields.length)]
  if (field === undefined) return JSON.stringify(value)
  const [holder, key] = field
  if (how === 'replace') holder[key] = value
  else if (how === 'remove' && Array.isArray(holder)) holder.splice(Number(key), 1)
  else if (how === 'remove') delete holder[key]
  else if (Array.isArray(holder)) holder.push(value)
  else holder['an unknown field'] = value
  return JSON.stringify(root)
}

function fieldsIn(value: unknown): [holder: Record<string, unknown>, key: string][] {
  if (typeof value !== 'object' || value === null) return []
  const holder = value as Record<string, unknown>
  return Object.keys(holder).flatMap(key => [
    [holder, key] as [Record<string, unknown>, string],
    ...fieldsIn(holder[key])
  ])
}

function toRequest({ method, path }: LocatedOperation, given: Given, sent: Sent | undefined): FuzzRequest {
  let filled = path
  const query = new URLSearchParams()
  const headers: Record<string, string> = {}
  for (const [name, { in: location, values }] of Object.entries(given)) {
    if (location === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(values[0] ?? ''))
    else if (location === 'query') for (const value of values) query.append(name, value)
    else headers[name] = values[0] ?? ''
  }
  const search = query.size === 0 ? '' : `?${query}`
  if (sent === undefined) return { method, path: `${filled}${search}`, headers }
  return { method, path: `${filled}${search}`, headers: { ...headers, 'content-type': sent.type }, body: sent.body }
}
