import type { Cluster } from '../cluster/cluster.ts'

/** A request to a coordinator. */
export interface Asked {
  readonly key: number
  readonly version: number
  readonly args: readonly unknown[]
}

/** Routes requests to coordinators through `handle`, which decides whether to send them. */
export function intercept(
  cluster: Cluster,
  handle: (asked: Asked, send: () => Promise<unknown>) => Promise<unknown>
): Cluster {
  const askCoordinator = cluster.askCoordinator.bind(cluster)
  cluster.askCoordinator = (type, key, api, ...args) =>
    handle({ key: api.key, version: api.version, args }, () => askCoordinator(type, key, api, ...args)) as never
  return cluster
}

const apiVersions = 18

/** Hides the features of a cluster, so that producers use the first transaction protocol. */
export function withoutFeatures(cluster: Cluster, isHidden = () => true): Cluster {
  return intercept(cluster, async ({ key }, send) => {
    const answer = (await send()) as object
    return key === apiVersions && isHidden() ? { ...answer, finalizedFeatures: [] } : answer
  })
}
