import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { callerNamePattern, type Role, reservedName, roles } from '../caller.ts'
import { newApiKey } from '../keys/api-key.ts'
import type { ApiKeyStore, StoredKey } from '../keys/key-store.ts'

export const usage = `api-keys create --name <caller> --role <${roles.join('|')}> [--requests-per-minute <n>] [--expires-days <n>]
api-keys list
api-keys revoke --id <id> | --name <caller>
api-keys first --directory <folder>

Examples:
  npm run api-keys -- create --name berlin --role shop
  npm run api-keys -- revoke --name berlin`

/** An error in the arguments. The message says how to fix them. */
export class UsageError extends Error {}

/** Output of the command. */
export interface Output {
  /** Writes data for programs (the key, the list) to standard output. */
  readonly out: (text: string) => void
  /** Writes remarks for people to standard error. */
  readonly note: (text: string) => void
}

/** Runs the command that manages API keys. @throws UsageError */
export async function runApiKeys(
  arguments_: readonly string[],
  store: ApiKeyStore,
  { out, note }: Output,
  nowMs = Date.now()
): Promise<void> {
  const { command, values } = parse(arguments_)
  switch (command) {
    case 'create': {
      const { name, role, requestsPerMinute, expiresDays } = checkGrant(values)
      const key = newApiKey()
      await store
        .add(key, {
          name,
          role,
          ...(requestsPerMinute !== undefined && { requestsPerMinute }),
          ...(expiresDays !== undefined && { expiresAtMs: nowMs + expiresDays * 86_400_000 })
        })
        .catch(error => {
          throw error instanceof RangeError ? new UsageError(error.message) : error
        })
      note(`Created key ${key.id} for ${name} (${role}). It is shown only once and cannot be retrieved later:`)
      out(key.key)
      return
    }
    case 'list': {
      for (const line of listLines(await store.all(), nowMs)) out(line)
      return
    }
    case 'revoke': {
      if ((values.id === undefined) === (values.name === undefined)) {
        throw new UsageError('Specify either --id or --name.')
      }
      const revoked = await store.revoke(values.id === undefined ? { name: String(values.name) } : { id: values.id })
      if (revoked.length === 0) throw new UsageError('No valid key has this id or caller.')
      note('Revoked these keys; every instance stops accepting them within its API_KEYS_REFRESH_MS:')
      for (const id of revoked) out(id)
      return
    }
    case 'first': {
      if (values.directory === undefined) throw new UsageError('Specify --directory, the folder for the key files.')
      await createFirstKeys(store, values.directory, note)
      return
    }
    default:
      throw new UsageError(`Specify one command:\n${usage}`)
  }
}

const firstCallers: readonly { readonly name: string; readonly role: Role }[] = [
  { name: 'operator', role: 'operator' },
  { name: 'shop', role: 'shop' }
]

/**
 * Creates a key for an operator and one for a shop, unless these callers exist already, and writes
 * each to a file that only its owner can read. The file is written before the key is stored, so
 * that an interrupted run can be repeated; it then replaces the file.
 */
async function createFirstKeys(store: ApiKeyStore, directory: string, note: Output['note']): Promise<void> {
  const known = new Set((await store.all()).map(({ name }) => name))
  for (const grant of firstCallers.filter(({ name }) => !known.has(name))) {
    const key = newApiKey()
    const file = join(directory, `${grant.name}.key`)
    await rm(file, { force: true })
    await writeFile(file, `${key.key}\n`, { mode: 0o400 })
    await store.add(key, grant)
    note(`Wrote the first key of ${grant.name} to ${file}`)
  }
}

function parse(arguments_: readonly string[]) {
  try {
    const { positionals, values } = parseArgs({
      args: [...arguments_],
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        role: { type: 'string' },
        id: { type: 'string' },
        directory: { type: 'string' },
        'requests-per-minute': { type: 'string' },
        'expires-days': { type: 'string' }
      }
    })
    return { command: positionals.length === 1 ? positionals[0] : undefined, values }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`)
  }
}

function checkGrant(values: ReturnType<typeof parse>['values']) {
  const { name, role } = values
  if (name === undefined || !new RegExp(callerNamePattern).test(name) || name === reservedName) {
    throw new UsageError(
      `--name must consist of 1 to 64 lower-case letters, digits, dots, dashes and underscores, start with a letter or digit, and not be ${reservedName}.`
    )
  }
  if (!roles.includes(role as Role)) throw new UsageError(`--role must be one of ${roles.join(', ')}.`)
  return {
    name,
    role: role as Role,
    requestsPerMinute: wholeNumber(values, 'requests-per-minute', 60_000_000),
    expiresDays: wholeNumber(values, 'expires-days', 3_650)
  }
}

function wholeNumber(
  values: Readonly<Record<string, string | undefined>>,
  name: string,
  maximum: number
): number | undefined {
  const text = values[name]
  if (text === undefined) return undefined
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (number < 1 || number > maximum) {
    throw new UsageError(`--${name} must be an integer from 1 to ${maximum} (got ${text}).`)
  }
  return number
}

function* listLines(keys: readonly StoredKey[], nowMs: number): Generator<string> {
  yield ['id', 'caller', 'role', 'requests/minute', 'created', 'state'].join('\t')
  for (const { id, name, role, requestsPerMinute, createdAtMs, ...times } of keys) {
    yield [id, name, role, requestsPerMinute ?? 'default', toISO(createdAtMs), stateOf(times, nowMs)].join('\t')
  }
}

function stateOf({ expiresAtMs, revokedAtMs }: Pick<StoredKey, 'expiresAtMs' | 'revokedAtMs'>, nowMs: number): string {
  if (revokedAtMs !== undefined) return `revoked ${toISO(revokedAtMs)}`
  if (expiresAtMs === undefined) return 'valid'
  return `${expiresAtMs > nowMs ? 'valid until' : 'expired'} ${toISO(expiresAtMs)}`
}

function toISO(ms: number): string {
  return new Date(ms).toISOString()
}
