import { accessSync, constants, readFileSync } from 'node:fs'
import type { Static, TObject, TProperties } from 'typebox'
import { Value } from 'typebox/value'
import { ConfigError } from './config-error.ts'
import type { SettingSchema } from './setting-options.ts'

export type Config<Properties extends TProperties> = Readonly<Static<TObject<Properties>>>

/**
 * Parses the environment variables that the schema names into a frozen object. An empty variable
 * counts as unset, because compose files and shells write unset variables that way. The value of a
 * secret `NAME` may be in the file that `NAME_FILE` names.
 * @throws ConfigError with all problems, not only the first
 */
export function parseConfig<Properties extends TProperties>(
  schema: TObject<Properties>,
  environment: Readonly<Record<string, string | undefined>>
): Config<Properties> {
  const isDev = (environment.ORDERLY_PROFILE || 'dev') === 'dev'
  const required = new Set((schema as { required?: readonly string[] }).required)
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(schema.properties)) {
    const setting = property as SettingSchema
    const fromFile = setting.secret ? readSecret(name, environment) : {}
    const text = fromFile.text ?? environment[name]?.trim()
    if (fromFile.problem !== undefined) problems.push(fromFile.problem)
    else if (text) {
      const value = convert(text, setting)
      const problem = problemWith(value, setting)
      if (problem === undefined) values[name] = value
      else
        problems.push(
          `${name} is ${isSecret(text, setting) ? 'set, but' : `"${text}", which`} ${problem}: ${advice(setting)}`
        )
    } else {
      const value = (isDev ? setting.devDefault : undefined) ?? setting.default
      if (value !== undefined) values[name] = value
      else if (required.has(name)) problems.push(`${name} is not set: ${advice(setting)}`)
    }
  }
  problems.push(...missingCompanions(schema.properties, values, environment))
  for (const [name, value] of Object.entries(values)) {
    const problem = (schema.properties[name] as SettingSchema).check?.(value as never, values)
    if (problem !== undefined) problems.push(problem)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  for (const value of Object.values(values)) Object.freeze(value)
  return Object.freeze(values) as Config<Properties>
}

/**
 * Returns true for secrets, and for any text with an `@`, which may be an address with a password.
 */
function isSecret(text: string, { secret = false }: SettingSchema): boolean {
  return secret || text.includes('@')
}

function convert(text: string, { type }: SettingSchema): unknown {
  if (type === 'integer') return /^-?\d{1,15}$/.test(text) ? Number(text) : text
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (type === 'array') {
    return text
      .split(',')
      .map(part => part.trim())
      .filter(part => part !== '')
  }
  return text
}

function problemWith(value: unknown, setting: SettingSchema): string | undefined {
  if (!Value.Check(setting, value)) return 'is invalid'
  if (setting.file && !isReadable(value as string)) return 'is not a readable file'
  return undefined
}

/**
 * Reads a secret from a file, as container platforms mount them: `DATABASE_URL_FILE` names the file
 * with the value of `DATABASE_URL`.
 */
function readSecret(
  name: string,
  environment: Readonly<Record<string, string | undefined>>
): { readonly text?: string; readonly problem?: string } {
  const variable = `${name}_FILE`
  const path = environment[variable]?.trim()
  if (!path) return {}
  if (environment[name]?.trim()) return { problem: `${name} and ${variable} are both set: set one of them` }
  try {
    return { text: readFileSync(path, 'utf8').trim() }
  } catch {
    return { problem: `${variable} is "${path}", which is not a readable file: set it to a file that contains ${name}` }
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function advice(setting: SettingSchema): string {
  const shape = shapeOf(setting)
  return `set it to ${setting.description ?? 'a value'}${shape === undefined ? '' : ` (${shape})`}`
}

function shapeOf({ type, enum: choices, minimum, maximum }: SettingSchema): string | undefined {
  if (choices !== undefined) return `one of ${choices.join(', ')}`
  if (type === 'boolean') return 'true or false'
  if (type === 'integer') return `an integer from ${minimum} to ${maximum}`
  return undefined
}

/**
 * Reports settings that are set without the settings they require, such as a password without a
 * user name.
 */
function* missingCompanions(
  properties: TProperties,
  values: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>
): Generator<string> {
  for (const [name, property] of Object.entries(properties)) {
    if (values[name] === undefined) continue
    for (const companion of (property as SettingSchema).requires ?? []) {
      const isWrong = values[companion] === undefined && Boolean(environment[companion]?.trim())
      if (isWrong || values[companion]) continue
      const setting = properties[companion] as SettingSchema
      const value = setting.type === 'boolean' ? 'true' : (setting.description ?? 'a value')
      yield `${companion} is needed because ${name} is set: set it to ${value}`
    }
  }
}
