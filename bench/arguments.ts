import { parseArgs } from 'node:util'

export const partNames = ['codec', 'stage', 'order', 'inventory', 'end-to-end', 'load', 'scale', 'capacity'] as const
export type PartName = (typeof partNames)[number]

export const loadTools = ['npm', 'wrk', 'k6'] as const
export type LoadTool = (typeof loadTools)[number]

export interface Arguments {
  /** All of them when none is named. */
  readonly parts: readonly PartName[]
  /** Everything in about three minutes: fewer and shorter rounds. */
  readonly quick: boolean
  /** Leaves flame graphs of our processes. */
  readonly profile: boolean
  readonly tool: LoadTool
  /** Of `scale`: how many orders wait. */
  readonly backlog: number
}

const summaries: Readonly<Record<PartName, string>> = {
  codec: 'our Avro codec and JSON; needs no servers',
  stage: 'consume, transform, produce: our stage, the Java client, Kafka Streams, franz-go',
  order: 'POST /orders: our service, the same without Kafka, Go, Java; and what each feature costs',
  inventory: 'the whole reservation with Postgres: ours, Java, Go',
  'end-to-end': 'from the request to the outcome and the notification, at fixed rates',
  load: 'POST /orders is slammed while the lag of all who read is watched',
  scale: 'several inventories, a backlog, and pauses while instances come and go',
  capacity: 'the plans of docs/capacity.md in a model; needs no servers'
}

/** The parts for which an option does something. */
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

Measures ours and its peers side by side. All parts, when none is named:

${partNames.map(name => `  ${name.padEnd(12)}  ${summaries[name]}`).join('\n')}

Options:

  --quick       fewer and shorter rounds, everything in about three minutes
  --profile     flame graphs of our processes also when quick; whole runs leave them anyway
  --tool npm    what makes the load of order and load: npm (undici, always there), wrk or k6
  --backlog 1m  how many orders wait in scale, such as 50k or 10m; 40k when quick
  -h, --help    show this

What is found goes to bench/results, with --quick to bench/results/quick.`

const seeHelp = 'npm run bench -- --help says what there is.'

/**
 * @returns undefined when help is asked for
 * @throws Error that says what may be given
 */
export function readArguments(given: readonly string[]): Arguments | undefined {
  const { positionals, values } = parse(given)
  if (values.help) return undefined
  const unknown = positionals.find(name => !isOneOf(partNames, name))
  if (unknown !== undefined)
    throw new Error(`There is no part "${unknown}": say ${partNames.join(', ')}, or nothing for all.`)
  const { quick, tool = 'npm' } = values
  if (!isOneOf(loadTools, tool)) throw new Error(`--tool is "${tool}": say ${valuesOfOption.tool}.`)
  const backlog = readCount(values.backlog ?? (quick ? '40k' : '1m'))
  if (backlog === undefined) throw new Error(`--backlog is "${values.backlog}": say ${valuesOfOption.backlog}.`)
  const parts = positionals.length === 0 ? partNames : (positionals as PartName[])
  for (const [option, own] of Object.entries(partsOfOption)) {
    const isGiven = Boolean(values[option as keyof typeof partsOfOption])
    if (isGiven && !parts.some(name => own.includes(name)))
      throw new Error(`--${option} does nothing for ${parts.join(' and ')}: it is for ${own.join(', ')}.`)
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

/** What Node says of it is about its parser. */
function explain({ code, message }: NodeJS.ErrnoException): string {
  const option = /'(?:-\w, )?(--?[^' ]+)/.exec(message)?.[1]
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return `There is no option ${option}: ${seeHelp}`
  for (const [name, values] of Object.entries(valuesOfOption))
    if (option === `--${name}`) return `${option} needs a value: say ${values}.`
  return `${option} takes no value: ${seeHelp}`
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
