import { orderly } from '../command-line/command.ts'
import { positionGroups } from '../positions/groups.ts'

/** Returns the service whose stage reads with a group; undefined for a group of another program. */
export function serviceOf(groupID: string): string | undefined {
  return positionGroups.find(group => group.groupID === groupID)?.service
}

const runbook = 'docs/runbooks/OrderlyAuditStopped.md'

/** Returns true for the group of a sink connector, which Kafka Connect names after the connector. */
const isConnector = (groupID: string) => groupID.startsWith('connect-')

/** Returns how to give a group members, or to remove a group that is no longer used. */
export function startReader(groupID: string): string {
  const service = serviceOf(groupID)
  if (service !== undefined) return `start its service (npm run service -- ${service}), or fix what its log shows`
  const otherwise = `delete the group if none does: ${orderly} groups delete ${groupID}`
  if (isConnector(groupID))
    return `let the connector that reads it run (${runbook}), or ${otherwise}, which makes a later one read everything again`
  return `start the program that reads it, or ${otherwise}`
}

/** Returns how to let a member continue that reads nothing. */
export function continueReader(groupID: string, member: string): string {
  if (isConnector(groupID)) return `fix what the log of Kafka Connect shows (${runbook})`
  return `check the log of ${member}: restore what it waits for (a database, the registry), restart it, or start more instances`
}

/** Returns how a group continues after records that were removed before it read them. */
export function continueAfterRemoved(groupID: string): string {
  const service = serviceOf(groupID)
  return service === undefined
    ? 'start the program that reads it: it continues after them with its next record there'
    : `start its service (npm run service -- ${service}): it continues after them and records an incident, which ${orderly} positions acknowledge closes`
}
