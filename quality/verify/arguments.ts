import { parseArgs } from 'node:util'
import { readExtras, serviceNames, UserError } from '@orderly/launcher'
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
  readonly keep: boolean
}

export const usage = `npm run verify -- [options]

  --seed 7            determines load and faults (default: random)
  --duration 120s     duration of load and faults, such as 90s or 2m
  --rate 60           orders per second
  --instances order=2,inventory=2,notification=2
  --brokers 1         1 or 3
  --with connect      also runs Kafka Connect, which writes the audit tables, and injects faults into it
  --json              prints the report as JSON, and nothing else, to standard output
  --keep              keeps logs and history even if there is no violation
  --recheck <file>    checks a saved history again
  --mutants [name…]   plants deliberate bugs one by one, all or those named; each must be found

Exit codes: 0 no violation, 1 violations (or a mutant not found), 2 the run could not be completed.`

/** Parses the command line. @throws UserError if an argument is invalid */
export function readArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parse(args)
  if (positionals.length > 0 && values.mutants !== true)
    throw new UserError(`Unexpected argument "${positionals[0]}".\n\n${usage}`)
  return {
    seed:
      values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : wholeNumber('seed', values.seed, 0, 2 ** 31),
    durationMs: readDuration(values.duration),
    requestsPerSecond: wholeNumber('rate', values.rate, 1, 1_000),
    topology: {
      instances: readInstances(values.instances),
      brokers: readBrokers(values.brokers),
      hasConnect: readExtras(values.with).has('connect')
    },
    asJSON: values.json || process.env.npm_config_json === 'true',
    keep: values.keep,
    ...(values.recheck !== undefined && { recheck: values.recheck }),
    ...(values.mutants && { mutants: positionals })
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seed: { type: 'string' },
        duration: { type: 'string', default: '60s' },
        rate: { type: 'string', default: '60' },
        instances: { type: 'string', default: '' },
        brokers: { type: 'string', default: '1' },
        with: { type: 'string' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        recheck: { type: 'string' },
        mutants: { type: 'boolean', default: false }
      }
    })
  } catch (error) {
    throw new UserError(`${(error as Error).message}\n\n${usage}`)
  }
}

function wholeNumber(name: string, text: string, from: number, to: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= from && value <= to) return value
  throw new UserError(`--${name} must be an integer from ${from} to ${to} (got "${text}").`)
}

function readDuration(text: string): number {
  const match = /^(\d+)(s|m)?$/.exec(text)
  const seconds = Number(match?.[1]) * (match?.[2] === 'm' ? 60 : 1)
  if (seconds >= 5 && seconds <= 24 * 3_600) return seconds * 1_000
  throw new UserError(
    `--duration must be in seconds or minutes, from 5s to 24 hours, such as 90s or 2m (got "${text}").`
  )
}

function readBrokers(text: string): number {
  if (text === '1' || text === '3') return Number(text)
  throw new UserError(`--brokers must be 1 or 3 (got "${text}").`)
}

function readInstances(text: string): Readonly<Record<string, number>> {
  const instances: Record<string, number> = Object.fromEntries(serviceNames.map(name => [name, 2]))
  for (const part of text.split(',').filter(part => part !== '')) {
    const [name = '', count] = part.split('=')
    if (!(name in instances)) {
      throw new UserError(`--instances: unknown service "${name}"; use ${serviceNames.join(', ')}.`)
    }
    instances[name] = wholeNumber('instances', count ?? '', 1, 8)
  }
  return instances
}
