import type { WriterSchema } from './registry.ts'

interface SchemaCacheOptions {
  readonly unknownForMs: number
  readonly maxUnknown: number
}

/**
 * A schema never changes under its id, so it is kept for good. An id that the registry does not know is remembered for
 * a while only (it may be registered later), and only so many of them: broken records can carry any id. Callers that
 * ask for the same id at the same time share one lookup. A failed lookup is forgotten.
 */
export function createSchemaCache(
  load: (schemaID: number) => Promise<WriterSchema | undefined>,
  { unknownForMs, maxUnknown }: SchemaCacheOptions
): (schemaID: number) => Promise<WriterSchema | undefined> {
  const schemas = new Map<number, Promise<WriterSchema | undefined>>()
  const unknownUntilMs = new Map<number, number>()

  function rememberUnknown(schemaID: number): void {
    const [oldest] = unknownUntilMs.keys()
    if (unknownUntilMs.size >= maxUnknown && oldest !== undefined) unknownUntilMs.delete(oldest)
    unknownUntilMs.set(schemaID, performance.now() + unknownForMs)
  }

  async function loadOnce(schemaID: number): Promise<WriterSchema | undefined> {
    try {
      const schema = await load(schemaID)
      if (schema === undefined) {
        schemas.delete(schemaID)
        rememberUnknown(schemaID)
      }
      return schema
    } catch (error) {
      schemas.delete(schemaID)
      throw error
    }
  }

  return schemaID => {
    const unknownUntil = unknownUntilMs.get(schemaID)
    if (unknownUntil !== undefined) {
      if (performance.now() < unknownUntil) return Promise.resolve(undefined)
      unknownUntilMs.delete(schemaID)
    }
    const known = schemas.get(schemaID)
    if (known !== undefined) return known
    const loading = loadOnce(schemaID)
    schemas.set(schemaID, loading)
    return loading
  }
}
