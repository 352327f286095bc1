import { join } from 'node:path'
import { runCommand } from '@orderly/launcher'
import { type Arguments, type ScenarioName, scenariosOfOption, spec, toArguments } from './arguments.ts'
import { requireLoadTool } from './load/closed-loop.ts'
import { currentLoad, describeMachine } from './machine.ts'
import { warmUpBroker } from './orders/warm-up.ts'
import { createPeers } from './peers/toolchains.ts'
import { describeTargets, type ScenarioReport, saveReport } from './report/scenario-report.ts'
import { summaryOf } from './report/summary.ts'
import type { Scenario } from './scenario.ts'
import { benchCapacity } from './scenarios/capacity.ts'
import { benchCodec } from './scenarios/codec.ts'
import { benchEndToEnd } from './scenarios/end-to-end.ts'
import { benchInventory } from './scenarios/inventory.ts'
import { benchLoad } from './scenarios/load.ts'
import { benchOrder } from './scenarios/order.ts'
import { benchScale } from './scenarios/scale/scale.ts'
import { benchStage } from './scenarios/stage.ts'
import { withServers } from './servers.ts'

const withoutServers: Partial<Record<ScenarioName, (given: Arguments) => ScenarioReport | Promise<ScenarioReport>>> = {
  codec: benchCodec,
  capacity: benchCapacity
}

const scenarios: Partial<Record<ScenarioName, Scenario>> = {
  stage: benchStage,
  order: benchOrder,
  inventory: benchInventory,
  'end-to-end': benchEndToEnd,
  load: benchLoad,
  scale: benchScale
}

const startedAtMs = performance.now()
const say = (text: string) =>
  process.stderr.write(`${((performance.now() - startedAtMs) / 1_000).toFixed(0).padStart(5)} s  ${text}\n`)

await runCommand(spec, async context => {
  const given = toArguments(context)
  if (given.scenarios.some(name => scenariosOfOption.tool.includes(name))) await requireLoadTool(given.tool)
  const results = join(import.meta.dirname, 'results')
  // Quick results do not replace those of full runs.
  const directory = given.quick ? join(results, 'quick') : results

  async function report(
    name: ScenarioName,
    run: () => ScenarioReport | Promise<ScenarioReport>,
    missing: readonly string[] = []
  ) {
    context.signal.throwIfAborted()
    say(name)
    const loadBefore = currentLoad()
    const found = await run()
    // Reports missing peers first, next to the targets, since targets against them are missing.
    const whole = { ...found, markdown: [...missing, found.markdown].join('\n\n') }
    const machine = describeMachine([loadBefore, currentLoad()])
    const summary = summaryOf(name, whole, machine)
    const page = await saveReport(directory, name, whole, `${summary}\n\n${machine}`)
    process.stdout.write(`\n# ${whole.title}\n\n${summary}\n\n${whole.markdown}\n\n`)
    if (whole.targets?.length) process.stdout.write(`${describeTargets(whole.targets)}\n\n`)
    say(`written to ${page}`)
  }

  for (const name of given.scenarios) {
    const run = withoutServers[name]
    if (run !== undefined) await report(name, () => run(given))
  }
  const others = given.scenarios.filter(name => name in scenarios)
  if (others.length === 0) return 0
  return withServers(context, async servers => {
    say('warming up the broker')
    await warmUpBroker(servers.connection, given.quick ? 6 : 30)
    const peersOfScenario = createPeers(servers.supervisor, say)
    for (const name of others) {
      const run = scenarios[name] as Scenario
      const peers = peersOfScenario()
      await report(name, () => run({ arguments: given, servers, peers, results: directory, say }), peers.missing)
    }
    return 0
  })
})
