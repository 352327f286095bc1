import type {
  ChangeRequestBody,
  FaultRun,
  Incarnation,
  NotificationLine,
  OrderRequest,
  OutcomeRow,
  Pass,
  RecordedRecord,
  SettlementRow
} from '../history/history.ts'
import type { StatusRead, StreamEvent } from '../history/status-reads.ts'
import type { Evidence } from './evidence.ts'
import type { Finding } from './guarantee.ts'

/** Context of a violation: all related parts of the history and the faults at that time. */
export interface ViolationContext {
  readonly orderID?: string
  readonly sku?: string
  readonly requests: readonly OrderRequest[]
  readonly changeRequests: readonly ChangeRequestBody[]
  readonly records: readonly RecordedRecord[]
  readonly outcome?: OutcomeRow
  readonly reservation: readonly { readonly sku: string; readonly quantity: number }[]
  readonly settlements: readonly SettlementRow[]
  readonly notifications: readonly NotificationLine[]
  readonly statusReads: readonly StatusRead[]
  readonly streamEvents: readonly StreamEvent[]
  readonly passes: readonly Pass[]
  readonly incarnations: readonly Incarnation[]
  readonly faults: readonly FaultRun[]
}

const nearMs = 3_000
const mostFaults = 6
const mostRecords = 12

export function collectContext(evidence: Evidence, finding: Finding): ViolationContext {
  const { history, rowsByID, requestsByID } = evidence
  const { orderID, sku, requestID } = finding
  const ofOrder =
    orderID === undefined
      ? []
      : history.records.filter(
          ({ event, headers }) => event?.orderID === orderID || headers['event-id']?.endsWith(orderID)
        )
  const records = [...new Set([...(finding.records ?? []), ...ofOrder])].slice(0, mostRecords)
  const requests = history.requests.filter(
    ({ id, result }) => id === requestID || (result.kind === 'ok' && result.orderID === orderID)
  )
  const traced = records.map(({ headers }) => requestsByID.get(headers.traceparent?.split('-')[1] ?? ''))
  for (const request of traced) if (request !== undefined && !requests.includes(request)) requests.push(request)
  const outcome = rowsByID.get(orderID ?? '')
  const times = [
    finding.atMs,
    outcome?.decidedAtMs,
    ...records.map(({ timestampMs }) => timestampMs),
    ...requests.flatMap(({ sentAtMs, endedAtMs }) => [sentAtMs, endedAtMs])
  ].filter(time => time !== undefined)
  const pids = new Set(finding.pid === undefined ? [] : [finding.pid])
  return {
    ...(orderID !== undefined && { orderID }),
    ...(sku !== undefined && { sku }),
    requests,
    changeRequests: history.changeRequests.filter(changeRequest => changeRequest.orderID === orderID),
    records,
    ...(outcome !== undefined && { outcome }),
    reservation: history.tables.reservationLines.filter(line => line.orderID === orderID),
    settlements: history.tables.settlements.filter(row => row.orderID === orderID),
    notifications: history.notifications.filter(line => line.orderID === orderID),
    statusReads: (history.statusReads?.reads ?? []).filter(read => read.orderID === orderID),
    streamEvents: (history.statusReads?.streams ?? []).flatMap(stream =>
      stream.orderID === orderID ? stream.events : []
    ),
    passes: history.passes.filter(({ pid, atMs }) => pids.has(pid) && isNear(atMs, times)).slice(-20),
    incarnations: history.incarnations.filter(({ pid }) => pids.has(pid)),
    faults: nearestFaults(history.faults, times)
  }
}

function isNear(atMs: number, times: readonly number[]): boolean {
  return times.some(time => Math.abs(time - atMs) <= nearMs)
}

/** Returns the faults that were active at one of the given times, then the closest others. */
function nearestFaults(faults: readonly FaultRun[], times: readonly number[]): FaultRun[] {
  if (times.length === 0) return []
  const distance = ({ startedAtMs, endedAtMs }: FaultRun) =>
    Math.min(...times.map(time => Math.max(0, startedAtMs - time, time - endedAtMs)))
  return faults
    .map(fault => ({ fault, distanceMs: distance(fault) }))
    .filter(({ distanceMs }) => distanceMs <= nearMs * 3)
    .toSorted((a, b) => a.distanceMs - b.distanceMs)
    .slice(0, mostFaults)
    .map(({ fault }) => fault)
}
