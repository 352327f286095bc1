import { createAclsV3 } from '@platformatic/kafka'
import type { KafkaConnection } from '../connection.ts'
import { checkCode } from '../errors.ts'
import { withCluster } from './admin.ts'

const resourceTypes = { topic: 2, group: 3, cluster: 4, transactionalID: 5 } as const
const patterns = { literal: 3, prefix: 4 } as const
const operations = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  describeConfigs: 10,
  alterConfigs: 11
} as const
const allow = 3 as const

/**
 * Permission of a principal for a resource, by name or by name prefix. The cluster is always named
 * `kafka-cluster`.
 */
export interface Grant {
  readonly principal: string
  readonly resource: keyof typeof resourceTypes
  readonly name: string
  readonly pattern: keyof typeof patterns
  readonly operations: readonly (keyof typeof operations)[]
}

/**
 * Adds permissions to the existing ones. @throws KafkaError `CLUSTER_AUTHORIZATION_FAILED`,
 * `SECURITY_DISABLED`
 */
export async function grantAccess(connection: KafkaConnection, grants: readonly Grant[]): Promise<void> {
  await withCluster(connection, async cluster => {
    const acls = grants.flatMap(({ principal, resource, name, pattern, operations: allowed }) =>
      allowed.map(operation => ({
        resourceType: resourceTypes[resource],
        resourceName: name,
        resourcePatternType: patterns[pattern],
        principal: `User:${principal}`,
        host: '*',
        operation: operations[operation],
        permissionType: allow
      }))
    )
    const { results } = await cluster.askAny(createAclsV3.api, acls)
    for (const { errorCode } of results) checkCode(errorCode, 'granting access')
  })
}
