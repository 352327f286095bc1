import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arguments } from '../arguments.ts'
import { machines } from '../capacity/costs.ts'
import { withTables } from '../capacity/document.ts'
import { maxBatch } from '../capacity/plan.ts'
import { capacityTables } from '../capacity/tables.ts'
import type { ScenarioReport } from '../report/scenario-report.ts'

const documentFile = join(import.meta.dirname, '../../../docs/explanation/capacity.md')

/**
 * Computes the plans of docs/explanation/capacity.md from costs and model; a full run also updates
 * its tables. Needs no servers.
 */
export async function benchCapacity({ quick }: Arguments): Promise<ScenarioReport> {
  const tables = capacityTables()
  if (!quick) await writeFile(documentFile, withTables(await readFile(documentFile, 'utf8'), tables))
  const { costs, needs, model, check, limits } = tables
  const markdown = [
    `[docs/explanation/capacity.md](../../../docs/explanation/capacity.md) explains the figures. Every round trip takes ${machines.roundTripMs} ms, batches have at most ${maxBatch} orders.`,
    `## Cost per order\n\n${costs}`,
    `## Resources per rate\n\n${needs}`,
    `## Plans in the model\n\nLatency is counted from the order in its topic to the committed outcome.\n\n${model}`,
    `## Model and measurements\n\n${check}`,
    `## Bottlenecks\n\n${limits}`
  ].join('\n\n')
  return { title: 'Capacity: plans in the model', markdown }
}
