import { markdownTable } from '@orderly/command-line'
import { releasedSchemas, topicConfig } from '@orderly/contracts'

interface Field {
  readonly name: string
  readonly type: unknown
  readonly doc?: string
  readonly default?: unknown
}

const dayMs = 86_400_000

/**
 * A section for each topic: event, retention, and the fields of the newest version with the version
 * that added them.
 */
export function eventSections(): string {
  return Object.entries(releasedSchemas)
    .map(([topic, versions]) => {
      const newest = versions.at(-1) as unknown as { name: string; doc?: string; fields: readonly Field[] }
      const since = (name: string) =>
        1 + versions.findIndex(version => (version.fields as readonly Field[]).some(field => field.name === name))
      const rows = newest.fields.map(({ name, type, doc = '', default: value }) => [
        `\`${name}\``,
        typeOf(type),
        `V${since(name)}`,
        value === undefined ? '' : `\`${JSON.stringify(value)}\``,
        doc
      ])
      return [
        `### ${topic}`,
        '',
        `\`${newest.name}\`, ${versions.length === 1 ? 'version 1' : `versions 1 to ${versions.length}`}; ${retentionOf(topic)}.`,
        ...(newest.doc === undefined ? [] : ['', newest.doc]),
        '',
        markdownTable(['field', 'type', 'since', 'default', 'meaning'], rows)
      ].join('\n')
    })
    .join('\n\n')
}

function typeOf(type: unknown): string {
  if (typeof type === 'string') return `\`${type}\``
  if (Array.isArray(type)) return type.map(typeOf).join(' or ')
  const {
    type: kind,
    items,
    fields,
    logicalType,
    symbols
  } = type as {
    readonly type: string
    readonly items?: unknown
    readonly fields?: readonly Field[]
    readonly logicalType?: string
    readonly symbols?: readonly string[]
  }
  if (kind === 'array') return `list of ${typeOf(items)}`
  if (kind === 'record') return `{ ${(fields ?? []).map(field => `${field.name}: ${typeOf(field.type)}`).join(', ')} }`
  if (kind === 'enum') return (symbols ?? []).map(symbol => `\`${symbol}\``).join(', ')
  return logicalType === undefined ? `\`${kind}\`` : `\`${logicalType}\``
}

function retentionOf(topic: string): string {
  const { 'cleanup.policy': policy, 'retention.ms': retentionMs } = topicConfig(topic)
  if (policy === 'compact') return 'compacted: the newest record of each key is kept'
  return Number(retentionMs) > 0
    ? `records are kept for ${Number(retentionMs) / dayMs} days`
    : 'records are kept forever'
}
