import { parseArgs } from 'node:util'

export const partNames = ['codec', 'stage', 'order', 'inventory', 'end-to-end', 'load', 'scale', 'capacity'] as const
export type PartName = (typeof partNames)[number]

export const loadTools = ['npm', 'wrk', 'k6'] as const
export type LoadTool = (typeof loadTools)[number]

export interface Arguments {
  /** Parts to run; all if none is named. */
  readonly parts: readonly PartName[]
  /** Fewer and shorter rounds: all parts in about three minutes. */
  readonly quick: boolean
  /** Writes flame graphs of our processes. */
  readonly profile: boolean
  readonly tool: LoadTool
  /** Largest backlog of the part `scale`, in orders. */
  readonly backlog: number
}

const summaries: Readonly<Record<PartName, string>> = {
  codec: 'our Avro codec and JSON; needs no servers',
  stage: 'consume, transform, produce: our stage, the Java client, Kafka Streams, franz-go',
  order: 'POST /orders: our service, the same without Kafka, Go, Java; and the cost of each feature',
  inventory: 'the whole reservation with Postgres: ours, Java, Go',
  'end-to-end': 'from the request to the outcome and the notification, at fixed rates',
  load: 'load test of POST /orders that observes the lag of all readers',
  scale: 'several inventories, backlogs, and pauses while instances join and leave',
  capacity: 'the plans of docs/explanation/capacity.md in a model; needs no servers'
}

/** Parts to which each option applies. */
export const partsOfOption: Readonly<Record<'profile' | 'tool' | 'backlog', readonly PartName[]>> = {
  profile: ['stage', 'order', 'inventory', 'end-to-end', 'load', 'scale'],
  tool: ['order', 'load'],
  backlog: ['scale']
}

const valuesOfOption = {
  tool: loadTools.join(', '),
  backlog: 'a number of orders such as 50k, 1m or 10m'
}

export const usage = `npm run bench -- [part…] [options]

Compares Orderly with its peers. Runs all parts if none is named:

${partNames.map(name => `  ${name.padEnd(12)}  ${summaries[name]}`).join('\n')}

Options:

  --quick       fewer and shorter rounds, all parts in about three minutes
  --profile     writes flame graphs of our processes with --quick, too; full runs always do
  --tool npm    load generator of order and load: npm (undici, always available), wrk or k6
  --backlog 1m  largest backlog of scale in orders, such as 50k or 10m (default with --quick: 40k)
  -h, --help    shows this help

Results are written to quality/bench/results, with --quick to bench/results/quick.`

const seeHelp = 'see npm run bench -- --help.'

/**
 * Parses the command line.
 * @returns undefined if help is requested
 * @throws Error with the permitted values
 */
export function readArguments(given: readonly string[]): Arguments | undefined {
  const { positionals, values } = parse(given)
  if (values.help) return undefined
  const unknown = positionals.find(name => !isOneOf(partNames, name))
  if (unknown !== undefined) throw new Error(`Unknown part "${unknown}"; use ${partNames.join(', ')}, or none for all.`)
  const { quick, tool = 'npm' } = values
  if (!isOneOf(loadTools, tool)) throw new Error(`--tool must be one of ${valuesOfOption.tool} (got "${tool}").`)
  const backlog = readCount(values.backlog ?? (quick ? '40k' : '1m'))
  if (backlog === undefined) throw new Error(`--backlog must be ${valuesOfOption.backlog} (got "${values.backlog}").`)
  const parts = positionals.length === 0 ? partNames : (positionals as PartName[])
  for (const [option, own] of Object.entries(partsOfOption)) {
    const isGiven = Boolean(values[option as keyof typeof partsOfOption])
    if (isGiven && !parts.some(name => own.includes(name)))
      throw new Error(`--${option} does not apply to ${parts.join(' and ')}, only to ${own.join(', ')}.`)
  }
  return { parts, quick, profile: values.profile, tool, backlog }
}

function parse(given: readonly string[]) {
  try {
    return parseArgs({
      args: [...given],
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        profile: { type: 'boolean', default: false },
        tool: { type: 'string' },
        backlog: { type: 'string' },
        help: { type: 'boolean', default: false, short: 'h' }
      }
    })
  } catch (error) {
    throw new Error(explain(error as NodeJS.ErrnoException))
  }
}

/** Rewrites errors of Node's parser in terms of this command. */
function explain({ code, message }: NodeJS.ErrnoException): string {
  const option = /'(?:-\w, )?(--?[^' ]+)/.exec(message)?.[1]
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return `Unknown option ${option}; ${seeHelp}`
  for (const [name, values] of Object.entries(valuesOfOption))
    if (option === `--${name}`) return `${option} needs a value: ${values}.`
  return `${option} takes no value; ${seeHelp}`
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
