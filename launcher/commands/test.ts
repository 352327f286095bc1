import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { type CommandSpec, UsageError } from '@orderly/command-line'
import { orderlyDirectory, projectDirectory } from '../directories.ts'
import { preflight } from '../preflight/preflight.ts'
import type { Supervisor } from '../processes/supervisor.ts'
import { freeServerPorts, planServers } from '../servers.ts'
import { showSteps } from '../terminal/steps.ts'
import { prepareTestDatabases } from '../test-databases.ts'
import { testVariables } from '../test-variables.ts'
import { createThrowAwayRun } from '../throw-away-run.ts'
import { type CommandContext, runCommand } from './command.ts'

const kinds = ['unit', 'int', 'e2e'] as const
/** Kinds that need programs which must be built, or an earlier release. They run only if named. */
const separateKinds = ['kubernetes', 'tracing', 'upgrade'] as const
type Kind = (typeof kinds)[number] | (typeof separateKinds)[number]

/**
 * Number of concurrent test processes, one per file. Integration tests share one set of servers;
 * each end-to-end test starts its own. Half of the time they wait for servers, so slightly more
 * processes than CPUs run concurrently. Tests with strict time limits (`.alone` in their name) run
 * alone, at the end.
 */
const processesAtOnce: Readonly<Record<Exclude<Kind, 'unit'>, number>> = {
  int: 3,
  e2e: 2,
  kubernetes: 1,
  tracing: 1,
  upgrade: 1
}

const isAlone = (file: string) => file.endsWith('.alone.e2e.test.ts')

const spec: CommandSpec = {
  name: 'npm test --',
  summary: 'run all checks and tests, or those of one kind whose path contains one of the patterns',
  argument: '[KIND_OR_PATTERN...]',
  examples: [
    'npm test',
    'npm test -- unit',
    'npm run test:unit -- services/order',
    "npm run test:int -- packages/kafka/stage --name 'replay'",
    'npm run test:e2e -- launcher/commands/demo',
    ...separateKinds.map(kind => `npm run test:${kind}`)
  ],
  options: {
    name: { type: 'string', placeholder: 'PATTERN', description: 'runs only tests whose title matches' },
    'keep-logs': { type: 'boolean', description: 'keeps the logs of the servers of integration tests' }
  },
  notes: `The first word is the kind: check, unit, int, e2e, ${separateKinds.join(', ')}. Each further word is a part of the
path of test files. Without a kind all run except ${separateKinds.join(', ')}, which need programs of
npm run build:kubernetes or build:jaeger, or an earlier release.`
}

await runCommand(spec, async context => {
  const [first, ...patterns] = context.positionals
  if (first !== undefined && ![...kinds, ...separateKinds, 'check'].includes(first)) {
    throw new UsageError(
      `Unknown kind of tests "${first}": use check, ${kinds.join(', ')}, ${separateKinds.join(' or ')}, or no argument for all.`
    )
  }
  const results: boolean[] = []
  if (first === undefined || first === 'check') {
    results.push(await run(context.supervise(orderlyDirectory), ['launcher/commands/check.ts']))
  }
  const chosen: readonly Kind[] =
    first === undefined ? kinds : [...kinds, ...separateKinds].filter(kind => kind === first)
  for (const kind of chosen) {
    if (context.signal.aborted) break
    results.push(await runKind(kind, patterns, context))
  }
  return results.every(Boolean) ? 0 : 1
})

async function runKind(kind: Kind, patterns: readonly string[], context: CommandContext): Promise<boolean> {
  const files = findTests(kind, patterns)
  if (files.length === 0) {
    if (patterns.length === 0) return true
    throw new UsageError(
      `No ${kind} test file matches: none has ${patterns.map(pattern => `"${pattern}"`).join(' or ')} in its path.`
    )
  }
  const name = context.options.text('name')
  const chosen = name === undefined ? [] : ['--test-name-pattern', name]
  if (kind === 'unit') return runTogether(files, chosen, context)
  const argumentsFor = (files: readonly string[], atOnce: number) => [
    ...['--test', `--test-concurrency=${atOnce}`],
    ...chosen,
    ...files
  ]
  if (kind !== 'int') {
    const supervisor = context.supervise(orderlyDirectory)
    const [alone, others] = [files.filter(isAlone), files.filter(file => !isAlone(file))]
    const passed = others.length === 0 || (await run(supervisor, argumentsFor(others, processesAtOnce[kind])))
    if (alone.length === 0 || context.signal.aborted) return passed
    return (await run(supervisor, argumentsFor(alone, 1))) && passed
  }

  const { directories, discard } = createThrowAwayRun('test')
  const supervisor = context.supervise(directories.logs)
  const { steps, servers } = planServers({ supervisor, directories, ports: await freeServerPorts(), durable: false })
  let keepLogs = true
  try {
    await preflight({ directory: directories.run, externals: new Map(), ports: [] })
    await showSteps(steps)
    const running = await servers
    if (running.postgres !== undefined) await prepareTestDatabases(running.postgres.access)
    const env = { ...process.env, ...testVariables(running) }
    const passed = await run(supervisor, argumentsFor(files, processesAtOnce.int), env)
    keepLogs = !passed || context.options.flag('keep-logs')
    return passed
  } finally {
    await supervisor.stop()
    await discard({ keepLogs })
    if (keepLogs) process.stderr.write(`Logs of Kafka, Postgres and the registry: ${directories.logs}\n`)
  }
}

/**
 * Runs unit tests in one process per CPU. They start no servers that would need isolation, and
 * starting a process takes longer than most of them.
 */
async function runTogether(
  files: readonly string[],
  chosen: readonly string[],
  context: CommandContext
): Promise<boolean> {
  const supervisor = context.supervise(orderlyDirectory)
  const shares = Map.groupBy(files, (_, index) => index % availableParallelism())
  const runs = [...shares.values()].map(share =>
    run(supervisor, ['--test', '--test-isolation=none', ...chosen, ...share])
  )
  return (await Promise.all(runs)).every(Boolean)
}

function findTests(kind: Kind, patterns: readonly string[]): string[] {
  return globSync(`**/*.${kind}.test.ts`, {
    cwd: projectDirectory,
    exclude: name => /^(node_modules|\.orderly)$/.test(name)
  })
    .filter(file => patterns.length === 0 || patterns.some(pattern => file.includes(pattern)))
    .toSorted()
}

/** Runs tests with the output of this process, under the supervisor, which stops them. */
async function run(
  supervisor: Supervisor,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env
): Promise<boolean> {
  const child = supervisor.start({
    name: 'tests',
    tier: 'service',
    command: process.execPath,
    args,
    cwd: projectDirectory,
    env,
    output: 'inherit'
  })
  return (await child.exited).code === 0
}
