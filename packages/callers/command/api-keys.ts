import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Arguments,
  type CommandLine,
  type CommandSpec,
  type OptionValues,
  parseNumber,
  UsageError
} from '@orderly/command-line'
import { callerNamePattern, type Role, reservedName, roles } from '../caller.ts'
import { newApiKey } from '../keys/api-key.ts'
import type { ApiKeyStore, StoredKey } from '../keys/key-store.ts'

export const apiKeysCommandLine: CommandLine<CommandSpec> = {
  prefix: 'npm run api-keys --',
  summary: 'Creates, lists and revokes API keys in the database of DATABASE_URL.',
  commands: [
    {
      name: 'create',
      summary: 'create a key and print it, once',
      examples: ['create --name berlin --role shop', 'create --name berlin --role shop --expires-days 90'],
      options: {
        name: { type: 'string', placeholder: 'CALLER', description: 'caller who gets the key' },
        role: { type: 'string', placeholder: roles.join('|'), description: 'what the caller may do' },
        'requests-per-minute': { type: 'string', placeholder: 'N', description: 'quota (default: of the service)' },
        'expires-days': { type: 'string', placeholder: 'N', description: 'days until the key expires (default: never)' }
      }
    },
    { name: 'list', summary: 'list all keys, without the keys themselves', examples: ['list'], options: {} },
    {
      name: 'revoke',
      summary: 'revoke one key, or all keys of a caller',
      examples: ['revoke --name berlin', 'revoke --id 0a1b2c3d4e5f'],
      options: {
        id: { type: 'string', placeholder: 'ID', description: 'id of the key' },
        name: { type: 'string', placeholder: 'CALLER', description: 'caller whose keys are revoked' }
      }
    },
    {
      name: 'first',
      summary: 'write the first keys of an operator and of a shop to files, unless they exist',
      examples: ['first --directory keys'],
      options: { directory: { type: 'string', placeholder: 'FOLDER', description: 'folder of the key files' } }
    }
  ]
}

/** Output of the command. */
export interface Output {
  /** Writes data for programs (the key, the list) to standard output. */
  readonly out: (text: string) => void
  /** Writes remarks for people to standard error. */
  readonly note: (text: string) => void
}

/** Runs a command that manages API keys. @throws UsageError */
export async function runApiKeys(
  { command, options }: Pick<Arguments, 'command' | 'options'>,
  store: ApiKeyStore,
  { out, note }: Output,
  nowMs = Date.now()
): Promise<void> {
  switch (command.name) {
    case 'create': {
      const { name, role, requestsPerMinute, expiresDays } = checkGrant(options)
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
      const [id, name] = [options.text('id'), options.text('name')]
      if ((id === undefined) === (name === undefined)) throw new UsageError('Specify either --id or --name.')
      const revoked = await store.revoke(id === undefined ? { name: String(name) } : { id })
      if (revoked.length === 0) throw new UsageError('No valid key has this id or caller.')
      note('Revoked these keys; every instance stops accepting them within its API_KEYS_REFRESH_MS:')
      for (const id of revoked) out(id)
      return
    }
    case 'first': {
      const directory = options.text('directory')
      if (directory === undefined) throw new UsageError('Specify --directory, the folder for the key files.')
      await createFirstKeys(store, directory, note)
    }
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

function checkGrant(options: OptionValues) {
  const [name, role] = [options.text('name'), options.text('role')]
  if (name === undefined || !new RegExp(callerNamePattern).test(name) || name === reservedName) {
    throw new UsageError(
      `--name must consist of 1 to 64 lower-case letters, digits, dots, dashes and underscores, start with a letter or digit, and not be ${reservedName}.`
    )
  }
  if (!roles.includes(role as Role)) throw new UsageError(`--role must be one of ${roles.join(', ')}.`)
  const count = (option: string, maximum: number) => {
    const text = options.text(option)
    return text === undefined ? undefined : parseNumber(text, option, { minimum: 1, maximum, otherwise: 1 })
  }
  return {
    name,
    role: role as Role,
    requestsPerMinute: count('requests-per-minute', 60_000_000),
    expiresDays: count('expires-days', 3_650)
  }
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
