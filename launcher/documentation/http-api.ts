import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { markdownTable } from '@orderly/command-line'
import { projectDirectory } from '../directories.ts'

interface Schema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly items?: Schema
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly description?: string
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
}

interface Operation {
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> }
  readonly responses: Readonly<Record<string, { readonly description: string }>>
}

interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas?: Readonly<Record<string, Schema>> }
}

/**
 * A section for each operation of the service: parameters, body and responses, from its OpenAPI
 * document.
 */
export function operationSections(service: string): string {
  const file = join(projectDirectory, 'packages/service-kit/http/api-documents', `${service}.json`)
  const { paths, components } = JSON.parse(readFileSync(file, 'utf8')) as ApiDocument
  return Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => section(method, path, operation, components.schemas ?? {}))
    )
    .join('\n\n')
}

function section(
  method: string,
  path: string,
  { summary, description, parameters = [], requestBody, responses }: Operation,
  schemas: Readonly<Record<string, Schema>>
): string {
  const parts = [
    `### ${method.toUpperCase()} ${path}`,
    `**${summary}.**${description === undefined ? '' : ` ${description}`}`
  ]
  if (parameters.length > 0) {
    const rows = parameters.map(({ name, in: place, required = false, description = '' }) => [
      `\`${name}\``,
      `${place}${required ? ', required' : ''}`,
      description
    ])
    parts.push(markdownTable(['parameter', 'in', 'meaning'], rows))
  }
  for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) {
    const rows = schema === undefined ? [] : fieldRows(schema, schemas)
    parts.push(`Body, \`${type}\`${rows.length > 0 ? ':' : '.'}`)
    if (rows.length > 0) parts.push(markdownTable(['field', 'type', 'meaning'], rows))
  }
  const rows = Object.entries(responses).map(([status, response]) => [status, response.description])
  parts.push(markdownTable(['status', 'when'], rows))
  return parts.join('\n\n')
}

function fieldRows(schema: Schema, schemas: Readonly<Record<string, Schema>>): string[][] {
  const { properties = {}, required = [] } = resolve(schema, schemas)
  return Object.entries(properties).map(([name, field]) => [
    `\`${name}\``,
    `${typeOf(field, schemas)}${required.includes(name) ? ', required' : ''}`,
    resolve(field, schemas).description ?? ''
  ])
}

function resolve(schema: Schema, schemas: Readonly<Record<string, Schema>>): Schema {
  const name = schema.$ref?.split('/').at(-1)
  return name === undefined ? schema : (schemas[name] ?? {})
}

function typeOf(schema: Schema, schemas: Readonly<Record<string, Schema>>): string {
  const { type, enum: values, items, properties, minimum, maximum, maxLength } = resolve(schema, schemas)
  if (values !== undefined) return values.map(value => `\`${value}\``).join(', ')
  if (items !== undefined) return `list of ${typeOf(items, schemas)}`
  if (properties !== undefined)
    return `{ ${Object.entries(properties)
      .map(([name, field]) => `${name}: ${typeOf(field, schemas)}`)
      .join(', ')} }`
  if (minimum !== undefined && maximum !== undefined)
    return `${minimum.toLocaleString('en')} to ${maximum.toLocaleString('en')}`
  const name = [type ?? 'any'].flat().join(' or ')
  return maxLength === undefined ? name : `${name}, at most ${maxLength} characters`
}
