import { formatRows } from '@orderly/command-line'
import type { OrdersReport } from './run-orders.ts'

export interface ComponentFigures {
  readonly name: string
  /** Time from its start until it was ready. */
  readonly startMs: number
  readonly residentMB: number
}

export interface DemoReport {
  readonly ok: boolean
  readonly orders: OrdersReport['verdicts']
  readonly unexpected: OrdersReport['unexpected']
  /** Time from the start of the launcher until everything was healthy. */
  readonly startUpMs: number
  readonly components: readonly ComponentFigures[]
  readonly residentMB: number
}

export function describeReport(report: DemoReport): string {
  const orders = report.orders.map(verdict => [
    verdict.orderID ?? '-',
    verdict.userID,
    String(verdict.lines),
    verdict.outcome ?? '?',
    verdict.notification ?? '-',
    verdict.latencyMs === null ? '-' : String(verdict.latencyMs),
    verdict.problem ?? 'ok'
  ])
  const components = report.components.map(component => [
    component.name,
    seconds(component.startMs),
    `${component.residentMB} MB`
  ])
  const good = report.orders.filter(({ asExpected }) => asExpected).length
  return [
    formatRows(['order', 'user', 'lines', 'outcome', 'notification', 'ms', 'as expected'], orders),
    '',
    formatRows(
      ['component', 'start', 'memory'],
      [...components, ['all', seconds(report.startUpMs), `${report.residentMB} MB`]]
    ),
    '',
    `${good} of ${report.orders.length} orders ended as expected${report.unexpected.length === 0 ? '' : `, and ${report.unexpected.length} notifications belong to no order`}.`
  ].join('\n')
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`
}
