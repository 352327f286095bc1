import type { INamespace } from 'kubernetes-models/v1/Namespace'
import { type Manifest, namespace } from './manifest.ts'

/**
 * Returns the namespace. It refuses pods that violate the restricted Pod Security Standard, and its
 * own pods may use the APIs.
 */
export function namespaceManifests(): Manifest[] {
  const own: INamespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: namespace,
      labels: {
        'app.kubernetes.io/part-of': 'orderly',
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/warn': 'restricted'
      }
    }
  }
  return [own]
}
