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

/** @throws Error that says what may be given */
export function readArguments(given: readonly string[]): Arguments {
  const { positionals, values } = parseArgs({
    args: [...given],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      tool: { type: 'string', default: 'npm' },
      backlog: { type: 'string' }
    }
  })
  const unknown = positionals.find(name => !isOneOf(partNames, name))
  if (unknown !== undefined)
    throw new Error(`There is no part "${unknown}": say ${partNames.join(', ')}, or nothing for all.`)
  if (!isOneOf(loadTools, values.tool)) throw new Error(`--tool is "${values.tool}": say ${loadTools.join(', ')}.`)
  const backlog = readCount(values.backlog ?? (values.quick ? '40k' : '1m'))
  if (backlog === undefined)
    throw new Error(`--backlog is "${values.backlog}": say a number of orders such as 50k, 1m or 10m.`)
  const parts = positionals.length === 0 ? partNames : (positionals as PartName[])
  return { parts, quick: values.quick, profile: values.profile, tool: values.tool, backlog }
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
