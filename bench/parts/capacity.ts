import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arguments } from '../arguments.ts'
import { machines } from '../capacity/costs.ts'
import { withTables } from '../capacity/document.ts'
import { maxBatch } from '../capacity/plan.ts'
import { capacityTables } from '../capacity/tables.ts'
import type { PartReport } from '../report/part-report.ts'

const documentFile = join(import.meta.dirname, '../../docs/capacity.md')

/** The plans of docs/capacity.md, from the costs and through the model; a whole run writes the tables there, too. Needs no servers. */
export async function benchCapacity({ quick }: Arguments): Promise<PartReport> {
  const tables = capacityTables()
  if (!quick) await writeFile(documentFile, withTables(await readFile(documentFile, 'utf8'), tables))
  const { costs, needs, model, check, limits } = tables
  const markdown = [
    `What the figures mean is told in [docs/capacity.md](../../docs/capacity.md). Every round trip takes ${machines.roundTripMs} ms, batches hold ${maxBatch} at most.`,
    `## What an order costs\n\n${costs}`,
    `## What a rate needs\n\n${needs}`,
    `## Plans in the model\n\nLatency is from the order in its topic to the committed outcome.\n\n${model}`,
    `## The model and what was measured\n\n${check}`,
    `## What breaks first\n\n${limits}`
  ].join('\n\n')
  return { title: 'Capacity: plans in the model', markdown }
}
