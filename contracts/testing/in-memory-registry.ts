import { parseAvroType } from '../avro/types.ts'
import { findIncompatibilities } from '../compatibility/full-transitive.ts'
import { SchemaRejectedError } from '../errors.ts'
import type { SchemaRegistry } from '../registry/registry.ts'
import type { RecordSchema } from '../schema.ts'

/**
 * Creates a registry in memory. Like a real one, it gives a schema one id under all subjects, and
 * enforces FULL_TRANSITIVE.
 */
export function createInMemoryRegistry(): SchemaRegistry {
  const texts: string[] = []
  const subjects = new Map<string, string[]>()

  return {
    async register(subject, schema) {
      const text = JSON.stringify(schema)
      const versions = subjects.get(subject) ?? []
      if (!versions.includes(text)) {
        check(subject, schema, versions)
        subjects.set(subject, [...versions, text])
      }
      const index = texts.indexOf(text)
      return index >= 0 ? index + 1 : texts.push(text)
    },

    async versions(subject) {
      return (subjects.get(subject) ?? []).map((text, index) => ({ version: index + 1, format: 'AVRO', text }))
    },

    async schemaByID(schemaID) {
      const text = texts[schemaID - 1]
      return text === undefined ? undefined : { format: 'AVRO', text }
    }
  }
}

const meaningRules = new Set<string>(['DEFAULT_CHANGED', 'LOGICAL_TYPE_CHANGED', 'NAMESPACE_CHANGED'])

function check(subject: string, schema: RecordSchema, versions: readonly string[]): void {
  try {
    parseAvroType(schema)
  } catch (cause) {
    throw new SchemaRejectedError(subject, `${schema.name} is not a valid Avro schema: ${(cause as Error).message}`, {
      cause
    })
  }
  const incompatibilities = findIncompatibilities([...versions.map(text => JSON.parse(text)), schema])
  // Real registries check only whether records can be read, and not changes of meaning.
  const found = incompatibilities.find(({ rule }) => !meaningRules.has(rule))
  if (found !== undefined) throw new SchemaRejectedError(subject, `${found.path}: ${found.detail}; ${found.advice}`)
}
