import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'

const directory = join(import.meta.dirname, '..', 'kubernetes')

/** Files that `kubectl apply -k` applies. */
export const { resources } = parse(readFileSync(join(directory, 'kustomization.yaml'), 'utf8')) as {
  readonly resources: readonly string[]
}

export interface ParsedManifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
}

/** All committed manifests. */
export const manifests = resources.flatMap(file =>
  parseAllDocuments(readFileSync(join(directory, file), 'utf8')).map(document => document.toJS() as ParsedManifest)
)

/** Returns the manifests of a kind; another test validates them against its schema. */
export function manifestsOf<Kind>(kind: string): readonly (ParsedManifest & Kind)[] {
  return manifests.filter(each => each.kind === kind) as (ParsedManifest & Kind)[]
}
