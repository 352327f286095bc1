import { parseDuration } from '@orderly/command-line'
import type { Command } from '../command-line/command.ts'
import type { Connections } from '../connections/connections.ts'
import { readRecords, readTables } from '../orders/sources.ts'
import { statusOf } from '../orders/timeline.ts'
import { diagnose } from './findings.ts'
import { attempt, observe } from './observe.ts'
import { notChecked } from './optional-findings.ts'
import { diagnoseOrder, type OrderTraces } from './order-findings.ts'

export const runDoctor: Command = {
  name: 'doctor',
  summary:
    'diagnose the pipeline, or one order: one finding per line, each with a remedy; exits with 1 if there is a problem',
  argument: '[ORDER_ID]',
  examples: ['doctor', 'doctor 0198c0de-0000-7000-8000-000000000001', 'doctor --waiting 2m --json'],
  options: {
    waiting: { type: 'string', placeholder: 'DURATION', description: 'how long a record may be pending (default 30s)' },
    transaction: {
      type: 'string',
      placeholder: 'DURATION',
      description: 'how long a transaction may be open (default 15s)'
    }
  },
  async run({ argument: orderID, options, output, connections, signal }) {
    const duration = (name: string, otherwiseMs: number) =>
      parseDuration(options.text(name), name, { maximumMs: 86_400_000, otherwiseMs })
    const thresholds = { waitingMs: duration('waiting', 30_000) }
    const facts = await observe(connections, signal, duration('transaction', 15_000))
    // Read after the rest: an order that its group had read by then has an outcome now. A server
    // that cannot be read is already a finding.
    const order = orderID === undefined ? undefined : (await attempt(() => trace(orderID, connections, signal))).result
    const findings = [
      ...(order === undefined ? [] : diagnoseOrder(order, facts, thresholds)),
      ...diagnose(facts, thresholds)
    ]
    const problems = findings.filter(({ severity }) => severity === 'problem').length
    const missing = notChecked(facts)
    output.json({ isHealthy: problems === 0, findings, notChecked: missing })
    for (const { severity, about, what, todo } of findings) {
      output.line(`${severity === 'problem' ? 'PROBLEM' : 'hint   '}  ${about}: ${what}. To do: ${todo}.`)
    }
    if (order !== undefined && !findings.some(({ about }) => about === `order ${orderID}`)) {
      output.line(`Order ${orderID} is not blocked: its status is ${statusOf(order.tables.status)}.`)
    }
    if (findings.length === 0) {
      const alerts = facts.alerts.kind === 'answered' ? ', no alert fires' : ''
      output.line(`No problems: servers answer, groups have members and no lag, there are no dead letters${alerts}.`)
    }
    if (missing.length > 0) output.line(`Not checked: ${missing.join(', ')}.`)
    return problems === 0 ? 0 : 1
  }
}

async function trace(orderID: string, connections: Connections, signal: AbortSignal): Promise<OrderTraces> {
  const [tables, records] = await Promise.all([
    readTables(connections.database(), orderID),
    readRecords(connections.kafka(), orderID, signal)
  ])
  return { orderID, tables, records }
}
