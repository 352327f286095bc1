import { describeMemory, memoryTarget } from '../../measure/memory.ts'
import { profile } from '../../profile/profile.ts'
import { short } from '../../report/plot.ts'
import type { Target } from '../../report/scenario-report.ts'
import type { Scenario, ScenarioContext } from '../../scenario.ts'
import { type Backlogs, backlogsTarget, describeBacklogs, drainBacklogs, mostMemory, plotBacklogs } from './backlogs.ts'
import { describeInstances, type InstancesRun, instancesTarget, runInstances } from './instances.ts'
import { untilDone, withInventories } from './inventories.ts'
import { describePauses, measurePauses } from './pauses.ts'
import { describeWaiting, type Waiting, watchWaiting } from './waiting.ts'

/**
 * Measures the inventory with more instances and partitions, with long backlogs, and while
 * instances join, leave and crash; then the other services with the resulting backlog. The
 * verifier's checkers check exactly-once processing over all records and rows.
 */
export const benchScale: Scenario = async context => {
  const { arguments: given, say } = context
  const instances = given.quick ? [1, 2] : [1, 2, 4]
  const partitionCounts = given.quick ? [4] : [4, 12]
  const runs: InstancesRun[] = []
  for (const partitions of partitionCounts) {
    for (const count of instances) {
      say(`scale: ${count} × inventory, ${partitions} partitions`)
      runs.push(await runInstances(context, count, partitions))
    }
  }
  const { backlogs, waiting } = await withInventories(context, {}, async inventories => {
    const backlogs = await drainBacklogs(context, inventories)
    await inventories.services[0].stop()
    return { backlogs, waiting: await watchWaiting(context, inventories.env) }
  })
  say('scale: instances join, leave and crash')
  const pauses = await measurePauses(context)
  const behind = waiting.map(({ service, memory }) => [`${service}, with that backlog`, memory] as const)
  const markdown = [
    `## Instances and partitions\n\n${describeInstances(runs, given.quick)}`,
    `## Backlogs\n\n${describeBacklogs(backlogs)}`,
    '## Memory with a backlog\n\nThe orders and the outcomes of the inventory are then a backlog for the other services, which start one after ' +
      'the other and read from the beginning:',
    describeWaiting(waiting),
    describeMemory({ 'inventory, after the largest backlog': backlogs.memory, ...Object.fromEntries(behind) }),
    '## Rebalances\n\nThe longest time in which a partition had no commit, while a backlog was processed:',
    describePauses(pauses),
    await profileOurs(context)
  ].join('\n\n')
  return {
    title: 'Scale: instances, partitions, backlogs, rebalances',
    markdown,
    plots: plotBacklogs(backlogs),
    targets: [instancesTarget(runs), backlogsTarget(backlogs), ...memoryTargets(backlogs, waiting)]
  }
}

function memoryTargets({ drained, memory }: Backlogs, waiting: readonly Waiting[]): Target[] {
  const largest = drained.at(-1) as Backlogs['drained'][number]
  const what = (service: string) => `memory of ${service} with a backlog of ${short(largest.orders)}`
  return [
    memoryTarget(what('inventory'), mostMemory(largest.samples), memory),
    ...waiting.map(({ service, mostMB, memory }) =>
      memoryTarget(what(service), mostMB, memory, 'in [the report on load](load.md)')
    )
  ]
}

/** Profiles an inventory that is stopped in the middle of a backlog. */
function profileOurs(context: ScenarioContext): Promise<string> {
  return profile(context, {
    scenario: 'scale',
    skipMs: 10_000,
    withMemory: true,
    async run(argumentsFor) {
      const waiting = 500_000
      const nodeArguments = argumentsFor('inventory')
      await withInventories(context, { waiting, nodeArguments }, async ({ probe }) => {
        await untilDone(probe, waiting / 2)
      })
    }
  })
}
