/**
 * Packages with the schemas of a group of kinds, by the end of the API group. The first match is
 * used.
 */
const packages: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)strimzi\.io$/, '@kubernetes-models/strimzi-kafka-operator'],
  [/^keda\.sh$/, '@kubernetes-models/keda'],
  [/^monitoring\.coreos\.com$/, '@kubernetes-models/prometheus-operator'],
  [/^/, 'kubernetes-models']
]

/** Validates a manifest. @throws when it is invalid or its kind is unknown */
export async function validateManifest(manifest: {
  readonly apiVersion: string
  readonly kind: string
}): Promise<void> {
  const { apiVersion, kind } = manifest
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
  const [, name] = packages.find(([pattern]) => pattern.test(group ?? '')) ?? []
  const module = await import(`${name}/${apiVersion}/${kind}`)
  const Kind = module[kind] as new (data: object) => { validate(): void }
  new Kind(manifest).validate()
}
