/**
 * `npm run compare:clients`: runs the scenarios and the measurements of Kafka clients, and writes
 * `docs/explanation/client-comparison.md`.
 */
import { writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandSpec, UsageError } from '@orderly/command-line'
import type { KafkaConnection } from '@orderly/kafka'
import {
  chooseJava,
  createRunDirectories,
  findJavas,
  freePorts,
  loopback,
  projectDirectory,
  runCommand,
  startKafka
} from '@orderly/launcher'
import { currentLoad, describeMachine } from '../machine.ts'
import { type Contestant, findContestants } from './contestants.ts'
import { comparisonPage } from './document.ts'
import { startLosingProxy } from './losing-proxy.ts'
import { measureAll } from './measure.ts'
import { type Outcome, scenarios } from './scenarios.ts'

const spec: CommandSpec = {
  name: 'npm run compare:clients --',
  summary: 'compare Kafka clients, and write docs/explanation/client-comparison.md',
  argument: '[CLIENT...]',
  examples: ['npm run compare:clients', 'npm run compare:clients -- kafkajs --scenario zombie'],
  options: {
    scenario: { type: 'string', placeholder: 'NAME', description: 'runs only this scenario; writes no page' },
    rounds: { type: 'string', placeholder: 'COUNT', description: 'runs of each scenario and measurement (default 3)' },
    quick: { type: 'boolean', description: 'short measurements' }
  }
}

const say = (text: string) => process.stderr.write(`${text}\n`)

await runCommand(spec, async context => {
  const only = context.options.text('scenario')
  const rounds = Number(context.options.text('rounds') ?? 3)
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new UsageError('`--rounds` must be a positive integer.')
  const directories = createRunDirectories(`clients-${process.pid}`)
  const supervisor = context.supervise(directories.logs)
  const loadBefore = currentLoad()
  try {
    const all = await findContestants(supervisor, say)
    const isChosen = ({ name }: { readonly name: string }) =>
      context.positionals.length === 0 || context.positionals.some(word => name.includes(word))
    const contestants = all.flatMap(own => ('version' in own && isChosen(own) ? [own] : []))
    const ports = await freePorts(['broker', 'controller', 'detour'] as const)
    const proxy = await startLosingProxy(() => ports.detour)
    const kafka = await startKafka({
      supervisor,
      java: chooseJava(findJavas()),
      dataDirectory: join(directories.data, 'kafka'),
      nodes: [
        {
          id: 1,
          port: ports.broker,
          controllerPort: ports.controller,
          detour: { port: ports.detour, advertisedPort: proxy.port }
        }
      ]
    })
    const connection: KafkaConnection = { brokers: [`${loopback}:${ports.broker}`], clientID: 'comparison' }
    const outcomes = new Map<string, Map<string, Outcome[]>>()
    for (const scenario of scenarios.filter(({ name }) => only === undefined || name === only)) {
      const row = new Map(contestants.map(({ name }) => [name, [] as Outcome[]]))
      outcomes.set(scenario.name, row)
      const run = async (contestant: Contestant) => {
        const outcome = await scenario
          .run({ connection, proxy, contestant })
          .catch((error: Error) => ({ passed: false, note: error.message }))
        row.get(contestant.name)?.push(outcome)
        say(`${scenario.name}, ${contestant.name}: ${outcome.passed ? 'pass' : 'fail'} ${outcome.note}`)
      }
      for (let round = 0; round < rounds; round++) {
        context.signal.throwIfAborted()
        // Most of a scenario is waiting for timeouts of the group.
        if (scenario.needsProxy) for (const contestant of contestants) await run(contestant)
        else await Promise.all(contestants.map(run))
      }
    }
    if (only !== undefined) return 0
    const sizes = context.options.flag('quick')
      ? { rounds, backlog: 40_000, paced: 400 }
      : { rounds, backlog: 200_000, paced: 1_000 }
    const figures = await measureAll(connection, contestants, sizes, say)
    await proxy.close()
    await kafka.stop()
    const machine = describeMachine([loadBefore, currentLoad()])
    const page = comparisonPage({ contestants: all.filter(isChosen), scenarios, rounds, outcomes, figures, machine })
    if (context.positionals.length > 0) process.stdout.write(page)
    else writeFileSync(join(projectDirectory, 'docs', 'explanation', 'client-comparison.md'), page)
    return 0
  } finally {
    await supervisor.stop()
    await rm(directories.run, { recursive: true, force: true })
  }
})
