import { setTimeout as delay } from 'node:timers/promises'
import { type Memory, readMemory, residentMBOf } from '../../measure/memory.ts'
import { readMetrics } from '../../measure/service-metrics.ts'
import { short } from '../../report/plot.ts'
import { figure, figureTable } from '../../report/scenario-report.ts'
import type { ScenarioContext } from '../../scenario.ts'
import { startService } from '../../services.ts'

export interface Waiting {
  readonly service: string
  /** Orders and outcomes that it has read. */
  readonly records: number
  readonly seconds: number
  readonly mostMB: number
  readonly memory: Memory
}

const sampleEveryMs = 250

/**
 * Measures each of the other services while it processes the backlog of orders and outcomes from
 * the beginning.
 */
export async function watchWaiting(context: ScenarioContext, env: NodeJS.ProcessEnv): Promise<Waiting[]> {
  const seconds = context.arguments.quick ? 1 : 25
  const found: Waiting[] = []
  for (const service of ['notification', 'order', 'aggregator'] as const) {
    context.say(`scale: ${service} with the backlog`)
    const running = await startService(context.servers, { service, label: `${service}-waiting`, env })
    try {
      let mostMB = 0
      const untilMs = performance.now() + seconds * 1_000
      while (performance.now() < untilMs) {
        mostMB = Math.max(mostMB, (await residentMBOf(running.child.pid)) ?? Number.NaN)
        await delay(sampleEveryMs)
      }
      const records = (await readMetrics(running.url))('orderly_stage_records_total')
      const memory = await readMemory(running)
      found.push({ service, records, seconds, mostMB: Math.max(mostMB, memory.resident), memory })
    } finally {
      await running.stop()
    }
  }
  return found
}

export function describeWaiting(found: readonly Waiting[]): string {
  const rows = found.map(({ service, records, seconds, mostMB }) => [
    service,
    figure(seconds),
    figure(records),
    short(records / seconds),
    figure(mostMB)
  ])
  return figureTable(['', 'seconds', 'records read', 'per second', 'peak MB'], rows)
}
