import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { orderlyDirectory } from '@orderly/launcher'

/** Versions of what `npm run build:kubernetes` builds and copies. */
export const versions = {
  kubernetes: 'v1.36.3',
  helm: 'v4.3.2',
  keda: 'v2.21.0',
  prometheusOperator: 'v0.85.0'
} as const

const tools = join(orderlyDirectory, 'tools')

export const programs = {
  apiServer: join(tools, `kubernetes-${versions.kubernetes}`, 'kube-apiserver'),
  helm: join(tools, `helm-${versions.helm}`, 'helm')
} as const

/** Folder with the definitions of the custom resources of KEDA and the Prometheus operator. */
export const definitions = join(tools, `definitions-${versions.keda}-${versions.prometheusOperator}`)

/** Returns the names of what was not built yet. */
export function missing(): string[] {
  return Object.entries({ ...programs, definitions }).flatMap(([name, path]) => (existsSync(path) ? [] : [name]))
}
