import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export interface ComposeService {
  readonly image: string
  readonly build?: { readonly target: string }
  readonly profiles?: readonly string[]
  readonly user: string
  readonly read_only: boolean
  readonly cap_drop: readonly string[]
  readonly restart?: string
  readonly healthcheck: {
    readonly test?: readonly string[]
    readonly disable?: boolean
    readonly timeout?: string
    readonly start_period?: string
  }
  readonly deploy: { readonly resources: { readonly limits: { readonly memory: string } } }
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly networks?: { readonly orderly?: { readonly aliases?: readonly string[] } }
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly logging: { readonly options: Readonly<Record<string, string>> }
}

export const composeDirectory = join(import.meta.dirname, '..')

const file = readFileSync(join(composeDirectory, 'compose.yaml'), 'utf8')

export const { services } = parse(file, { merge: true }) as {
  readonly services: Readonly<Record<string, ComposeService>>
}

/**
 * Returns the environment of a container when the shell sets no variable: `${NAME:-default}`
 * becomes `default`.
 */
export function environmentOf(name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(services[name]?.environment ?? {}).map(([variable, value]) => [
      variable,
      value.replace(/\$\{\w+:-([^}]*)\}/g, '$1')
    ])
  )
}

/** Returns the health check of a container: its program and arguments. */
export function askHealth(name: string): readonly string[] {
  const [kind, ...command] = services[name]?.healthcheck.test ?? []
  if (kind !== 'CMD') throw new Error(`the health check of ${name} must be of the kind CMD (got ${kind})`)
  return command
}
