import {
  type CommandSpec,
  commonOptions,
  type Arguments as Parsed,
  parseDuration,
  parseNumber,
  UsageError
} from '@orderly/command-line'
import { readExtras, serviceNames } from '@orderly/launcher'
import type { Topology } from './plan/faults.ts'

export interface Arguments {
  readonly seed: number
  readonly durationMs: number
  readonly requestsPerSecond: number
  readonly topology: Topology
  readonly asJSON: boolean
  /** File of a saved history to check again. */
  readonly recheck?: string
  /** Names of the mutants to run; empty for all. */
  readonly mutants?: readonly string[]
  /** Numbers of the planned faults to inject; all by default. */
  readonly faults?: readonly number[]
  /** Time during which the seeds of a campaign begin. */
  readonly campaignMs?: number
  /** First seed of a campaign. */
  readonly seedsFrom: number
  readonly isCoverage: boolean
  readonly keep: boolean
}

export const spec: CommandSpec = {
  name: 'npm run verify --',
  summary: 'inject faults under load, and check every guarantee against the recorded history',
  argument: '[MUTANT...]',
  examples: [
    'npm run verify',
    'npm run verify -- --seed 7 --duration 2m --brokers 3',
    'npm run verify -- --instances order=2,inventory=3',
    'npm run verify -- --mutants off-by-one',
    'npm run verify -- --campaign 4h --seeds-from 1000',
    'npm run verify -- --coverage'
  ],
  options: {
    seed: { type: 'string', placeholder: 'N', description: 'determines load and faults (default: random)' },
    duration: { type: 'string', placeholder: 'DURATION', description: 'of load and faults (default 60s)' },
    rate: { type: 'string', placeholder: 'N', description: 'orders per second (default 60)' },
    instances: { type: 'string', placeholder: 'NAME=N,...', description: 'instances of each service (default 2)' },
    brokers: { type: 'string', placeholder: 'N', description: '1 or 3 (default 1)' },
    with: {
      type: 'string',
      placeholder: 'connect',
      description: 'also runs Kafka Connect, which writes the audit tables, and injects faults into it'
    },
    keep: { type: 'boolean', description: 'keeps logs and history even if there is no violation' },
    recheck: { type: 'string', placeholder: 'FILE', description: 'checks a saved history again' },
    mutants: {
      type: 'boolean',
      description: 'plants deliberate bugs one by one, all or those named; each must be found'
    },
    faults: {
      type: 'string',
      placeholder: 'N,...',
      description: 'injects only these faults of the plan, numbered from 0, or "none"'
    },
    campaign: {
      type: 'string',
      placeholder: 'DURATION',
      description: 'runs one seed after another, each for --duration (default 25s here), and writes a report'
    },
    'seeds-from': {
      type: 'string',
      placeholder: 'N',
      description: 'first seed of a campaign (default 1000); seeds with a result are left out'
    },
    coverage: {
      type: 'boolean',
      description: 'prints which faults and guarantees the recorded seeds of campaigns cover'
    },
    ...commonOptions
  },
  notes:
    'Exit codes: 0 no violation, 1 violations (or a mutant not found), 2 the run could not be completed, 3 no violation, but too many results are unknown, 64 wrong arguments.'
}

/** Interprets the parsed arguments. @throws UsageError */
export function toArguments({ options, positionals }: Pick<Parsed, 'options' | 'positionals'>): Arguments {
  const isAboutMutants = options.flag('mutants')
  if (positionals.length > 0 && !isAboutMutants)
    throw new UsageError(`Unexpected argument "${positionals[0]}": only --mutants takes names.`)
  const number = (option: string, minimum: number, maximum: number, otherwise: number) =>
    parseNumber(options.text(option), option, { minimum, maximum, otherwise })
  const recheck = options.text('recheck')
  const [campaign, faults] = [options.text('campaign'), options.text('faults')]
  return {
    seed: number('seed', 0, 2 ** 31, Math.floor(Math.random() * 1_000_000)),
    durationMs: parseDuration(options.text('duration'), 'duration', {
      minimumMs: 5_000,
      maximumMs: 86_400_000,
      otherwiseMs: campaign === undefined ? 60_000 : 25_000
    }),
    requestsPerSecond: number('rate', 1, 1_000, 60),
    topology: {
      instances: readInstances(options.text('instances') ?? ''),
      brokers: readBrokers(options.text('brokers') ?? '1'),
      hasConnect: readExtras(options.text('with')).has('connect')
    },
    asJSON: options.flag('json'),
    keep: options.flag('keep'),
    ...(recheck !== undefined && { recheck }),
    seedsFrom: number('seeds-from', 0, 2 ** 31, 1_000),
    isCoverage: options.flag('coverage'),
    ...(campaign !== undefined && {
      campaignMs: parseDuration(campaign, 'campaign', { maximumMs: 30 * 86_400_000, otherwiseMs: 0 })
    }),
    ...(faults !== undefined && { faults: readFaults(faults) }),
    ...(isAboutMutants && { mutants: positionals })
  }
}

function readFaults(text: string): readonly number[] {
  if (text === 'none') return []
  return text.split(',').map(part => parseNumber(part, 'faults', { minimum: 0, maximum: 100_000, otherwise: 0 }))
}

function readBrokers(text: string): number {
  if (text === '1' || text === '3') return Number(text)
  throw new UsageError(`--brokers must be 1 or 3 (got "${text}").`)
}

function readInstances(text: string): Readonly<Record<string, number>> {
  const instances: Record<string, number> = Object.fromEntries(serviceNames.map(name => [name, 2]))
  for (const part of text.split(',').filter(part => part !== '')) {
    const [name = '', count] = part.split('=')
    if (!(name in instances)) {
      throw new UsageError(`--instances: unknown service "${name}"; use ${serviceNames.join(', ')}.`)
    }
    instances[name] = parseNumber(count ?? '', 'instances', { minimum: 1, maximum: 8, otherwise: 2 })
  }
  return instances
}
