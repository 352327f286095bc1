import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { callerNamePattern, type Role, reservedName, roles } from '../caller.ts'
import { newApiKey } from '../keys/api-key.ts'
import type { ApiKeyStore, StoredKey } from '../keys/key-store.ts'

export const usage = `api-keys create --name <caller> --role <${roles.join('|')}> [--requests-per-minute <n>] [--expires-days <n>]
api-keys list
api-keys revoke --id <id> | --name <caller>
api-keys first --directory <folder>`

/** What was asked for is wrong, in a sentence that says how to put it right. */
export class UsageError extends Error {}

/** Standard output is for programs: the key alone, or the list. What is for people goes beside it. */
export interface Output {
  readonly out: (text: string) => void
  readonly note: (text: string) => void
}

/** @throws UsageError */
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
      note(`Key ${key.id} of ${name} (${role}). It is shown this once, and kept nowhere:`)
      out(key.key)
      return
    }
    case 'list': {
      for (const line of listLines(await store.all(), nowMs)) out(line)
      return
    }
    case 'revoke': {
      if ((values.id === undefined) === (values.name === undefined)) throw new UsageError('Say --id or --name.')
      const revoked = await store.revoke(values.id === undefined ? { name: String(values.name) } : { id: values.id })
      if (revoked.length === 0) throw new UsageError('There is no valid key of that id or caller.')
      note('Revoked; every instance knows within its API_KEYS_REFRESH_MS:')
      for (const id of revoked) out(id)
      return
    }
    case 'first': {
      if (values.directory === undefined) throw new UsageError('--directory is the folder for the files of the keys.')
      await createFirstKeys(store, values.directory, note)
      return
    }
    default:
      throw new UsageError(`Say what to do:\n${usage}`)
  }
}

const firstCallers: readonly { readonly name: string; readonly role: Role }[] = [
  { name: 'operator', role: 'operator' },
  { name: 'shop', role: 'shop' }
]

/**
 * Creates a key for an operator and one for a shop, unless these callers have had one, and writes each to a file that only its owner
 * can read. A run that was interrupted before the key was stored is repeated: the file is replaced.
 */
async function createFirstKeys(store: ApiKeyStore, directory: string, note: Output['note']): Promise<void> {
  const known = new Set((await store.all()).map(({ name }) => name))
  for (const grant of firstCallers.filter(({ name }) => !known.has(name))) {
    const key = newApiKey()
    const file = join(directory, `${grant.name}.key`)
    await rm(file, { force: true })
    await writeFile(file, `${key.key}\n`, { mode: 0o400 })
    await store.add(key, grant)
    note(`The first key of ${grant.name} is in ${file}`)
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
      `--name is a name for the caller, other than ${reservedName}: up to 64 small letters, digits, dots, dashes and underscores, a letter or digit first.`
    )
  }
  if (!roles.includes(role as Role)) throw new UsageError(`--role is one of ${roles.join(', ')}.`)
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
  if (number < 1 || number > maximum) throw new UsageError(`--${name} is a whole number from 1 to ${maximum}.`)
  return number
}

function* listLines(keys: readonly StoredKey[], nowMs: number): Generator<string> {
  yield ['id', 'caller', 'role', 'requests/minute', 'created', 'state'].join('\t')
  for (const { id, name, role, requestsPerMinute, createdAtMs, ...times } of keys) {
    yield [id, name, role, requestsPerMinute ?? 'usual', toISO(createdAtMs), stateOf(times, nowMs)].join('\t')
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
