import { type CommandSpec, type Arguments as Parsed, UsageError } from '@orderly/command-line'

export const scenarioNames = [
  'codec',
  'stage',
  'order',
  'inventory',
  'end-to-end',
  'load',
  'scale',
  'capacity'
] as const
export type ScenarioName = (typeof scenarioNames)[number]

export const loadTools = ['npm', 'wrk', 'k6'] as const
export type LoadTool = (typeof loadTools)[number]

export interface Arguments {
  /** Scenarios to run; all if none is named. */
  readonly scenarios: readonly ScenarioName[]
  /** Fewer and shorter rounds: all scenarios in about three minutes. */
  readonly quick: boolean
  /** Writes flame graphs of our processes. */
  readonly profile: boolean
  readonly tool: LoadTool
  /** Largest backlog of the scenario `scale`, in orders. */
  readonly backlog: number
}

const summaries: Readonly<Record<ScenarioName, string>> = {
  codec: 'our Avro codec and JSON; needs no servers',
  stage: 'consume, transform, produce: our stage, the Java client, Kafka Streams, franz-go',
  order: 'POST /orders: our service, the same without Kafka, Go, Java; and the cost of each feature',
  inventory: 'the whole reservation with Postgres: ours, Java, Go',
  'end-to-end': 'from the request to the outcome and the notification, at fixed rates',
  load: 'load test of POST /orders that observes the lag of all readers',
  scale: 'several inventories, backlogs, and pauses while instances join and leave',
  capacity: 'the plans of docs/explanation/capacity.md in a model; needs no servers'
}

/** Scenarios to which each option applies. */
export const scenariosOfOption: Readonly<Record<'profile' | 'tool' | 'backlog', readonly ScenarioName[]>> = {
  profile: ['stage', 'order', 'inventory', 'end-to-end', 'load', 'scale'],
  tool: ['order', 'load'],
  backlog: ['scale']
}

export const spec: CommandSpec = {
  name: 'npm run bench --',
  summary: 'compare Orderly with its peers; run all scenarios if none is named',
  argument: '[SCENARIO...]',
  examples: [
    'npm run bench -- --quick',
    'npm run bench -- order load --tool wrk',
    'npm run bench -- scale --backlog 10m'
  ],
  options: {
    quick: { type: 'boolean', description: 'fewer and shorter rounds, all scenarios in about three minutes' },
    profile: {
      type: 'boolean',
      description: 'writes flame graphs of our processes with --quick, too; full runs always do'
    },
    tool: {
      type: 'string',
      placeholder: loadTools.join('|'),
      description: 'load generator of order and load (default npm: undici, which is always available)'
    },
    backlog: {
      type: 'string',
      placeholder: 'N',
      description: 'largest backlog of scale in orders, such as 50k or 10m (default 1m, with --quick 40k)'
    }
  },
  notes: `Scenarios:
${scenarioNames.map(name => `  ${name.padEnd(12)}  ${summaries[name]}`).join('\n')}

Results are written to quality/bench/results, with --quick to quality/bench/results/quick.`
}

/** Interprets the parsed arguments. @throws UsageError with the permitted values */
export function toArguments({ options, positionals }: Pick<Parsed, 'options' | 'positionals'>): Arguments {
  const unknown = positionals.find(name => !isOneOf(scenarioNames, name))
  if (unknown !== undefined)
    throw new UsageError(`Unknown scenario "${unknown}"; use ${scenarioNames.join(', ')}, or none for all.`)
  const quick = options.flag('quick')
  const tool = options.text('tool') ?? 'npm'
  if (!isOneOf(loadTools, tool)) throw new UsageError(`--tool must be one of ${loadTools.join(', ')} (got "${tool}").`)
  const backlogText = options.text('backlog')
  const backlog = readCount(backlogText ?? (quick ? '40k' : '1m'))
  if (backlog === undefined)
    throw new UsageError(`--backlog must be a number of orders such as 50k, 1m or 10m (got "${backlogText}").`)
  const scenarios = positionals.length === 0 ? scenarioNames : (positionals as readonly ScenarioName[])
  for (const [option, own] of Object.entries(scenariosOfOption)) {
    const isGiven = options.flag(option) || options.text(option) !== undefined
    if (isGiven && !scenarios.some(name => own.includes(name)))
      throw new UsageError(`--${option} does not apply to ${scenarios.join(' and ')}, only to ${own.join(', ')}.`)
  }
  return { scenarios, quick, profile: options.flag('profile'), tool, backlog }
}

function isOneOf<Name extends string>(names: readonly Name[], name: string): name is Name {
  return (names as readonly string[]).includes(name)
}

function readCount(text: string): number | undefined {
  const found = /^(\d+)([km]?)$/i.exec(text)
  if (found === null) return undefined
  const count = Number(found[1]) * { '': 1, k: 1e3, m: 1e6 }[(found[2] ?? '').toLowerCase() as '' | 'k' | 'm']
  return count > 0 ? count : undefined
}
