import { parseArgs } from 'node:util'

export const partNames = ['codec', 'stage', 'order', 'inventory', 'end-to-end', 'load', 'capacity'] as const
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
}

/** @throws Error that says what may be given */
export function readArguments(given: readonly string[]): Arguments {
  const { positionals, values } = parseArgs({
    args: [...given],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      tool: { type: 'string', default: 'npm' }
    }
  })
  const unknown = positionals.find(name => !isOneOf(partNames, name))
  if (unknown !== undefined)
    throw new Error(`There is no part "${unknown}": say ${partNames.join(', ')}, or nothing for all.`)
  if (!isOneOf(loadTools, values.tool)) throw new Error(`--tool is "${values.tool}": say ${loadTools.join(', ')}.`)
  const parts = positionals.length === 0 ? partNames : (positionals as PartName[])
  return { parts, quick: values.quick, profile: values.profile, tool: values.tool }
}

function isOneOf<Name extends string>(names: readonly Name[], name: string): name is Name {
  return (names as readonly string[]).includes(name)
}
