import { formatDuration, plural } from '@orderly/command-line'
import type { IncidentRow } from '@orderly/positions'
import { orderly } from '../command-line/command.ts'

export interface FoundIncident
  extends Pick<IncidentRow, 'groupID' | 'kind' | 'topic' | 'partition' | 'fromOffset' | 'toOffset' | 'detectedAt'> {
  /** Name on the command line. */
  readonly name: string
}

interface KindOfIncident {
  readonly severity: 'problem' | 'hint'
  readonly what: string
  readonly todo: string
}

const kinds: Readonly<Record<IncidentRow['kind'], KindOfIncident>> = {
  offsets_skipped: {
    severity: 'problem',
    what: 'records were removed before they were read',
    todo: 'find the orders without an outcome, and read faster or keep records longer'
  },
  topic_recreated: {
    severity: 'hint',
    what: 'the topic was deleted and created again',
    todo: 'check that this was intended'
  },
  log_truncated: {
    severity: 'problem',
    what: 'the log has lost records',
    todo: 'find out which broker lost them, and which orders they were'
  },
  offsets_missing: {
    severity: 'problem',
    what: 'the group has lost its offsets, and its stage does not start',
    todo: `${orderly} positions resolve GROUP prints the plan, and with --apply executes it`
  },
  database_behind: {
    severity: 'problem',
    what: 'the database has lost effects of committed records',
    todo: `for the inventory ${orderly} reconcile prints the plan, and with --apply executes it; the other services have rewound automatically`
  },
  partitions_added: {
    severity: 'hint',
    what: 'the topic has new partitions',
    todo: 'their records are read without any step'
  }
}

/** Returns one finding per kind of incident in a topic of a group. */
export function incidentFindings({
  incidents,
  nowMs
}: {
  readonly incidents: readonly FoundIncident[]
  readonly nowMs: number
}) {
  const similar = Map.groupBy(incidents, ({ groupID, kind, topic }) => `${groupID} ${kind} ${topic}`)
  return [...similar.values()].flatMap(own => {
    const [first] = own
    if (first === undefined) return []
    const { groupID, kind, topic } = first
    const { severity, what, todo } = kinds[kind]
    const places = own.map(({ partition, fromOffset, toOffset }) => {
      return fromOffset === null ? String(partition) : `${partition} from ${fromOffset} to ${toOffset}`
    })
    const oldestMs = Math.min(...own.map(({ detectedAt }) => detectedAt.getTime()))
    const where = `${topic}, ${plural(places.length, 'partition')} (${places.join(', ')})`
    const names = own.map(({ name }) => name)
    const these = names.length === 1 ? names[0] : `--group ${groupID} --kind ${kind} --topic ${topic}`
    const acknowledge = `${orderly} positions acknowledge ${these}`
    return [
      {
        severity,
        about: `group ${groupID}`,
        what: `${what}: ${where}, ${formatDuration(nowMs - oldestMs)} ago`,
        todo: `${todo.replace('GROUP', groupID)}; then ${acknowledge}`
      }
    ]
  })
}
