import { inTransaction } from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import type { Caller, Role } from '../caller.ts'
import type { NewApiKey } from './api-key.ts'

export interface StoredKey extends Pick<Caller, 'name' | 'role'> {
  readonly id: string
  /** SHA-256 of the whole key, in hexadecimal. */
  readonly hash: string
  /** Quota of the caller; undefined for the default of the service. */
  readonly requestsPerMinute?: number
  readonly createdAtMs: number
  readonly expiresAtMs?: number
  readonly revokedAtMs?: number
}

export interface KeyGrant {
  readonly name: string
  readonly role: Role
  readonly requestsPerMinute?: number
  readonly expiresAtMs?: number
}

/** Store of callers and their keys. In Postgres, the services share its schema. */
export interface ApiKeyStore {
  /** Returns the keys that are neither revoked nor expired. */
  valid(): Promise<StoredKey[]>
  all(): Promise<StoredKey[]>
  /**
   * Adds a key, and its caller if it does not exist.
   * @throws RangeError when the caller has another role
   */
  add(key: NewApiKey, grant: KeyGrant): Promise<void>
  /**
   * Revokes one key by its id, or all keys of a caller.
   * @returns the ids of the keys that were valid
   */
  revoke(which: { readonly id: string } | { readonly name: string }): Promise<string[]>
}

const isValid = 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())'

export function createApiKeyStore(pool: Pool): ApiKeyStore {
  const select = async (condition: string) => {
    const { rows } = await pool.query(
      `SELECT id, name, role, encode(hash, 'hex') AS hash, requests_per_minute, api_keys.created_at, expires_at, revoked_at
        FROM callers.api_keys JOIN callers.callers ON name = caller WHERE ${condition} ORDER BY name, api_keys.created_at`
    )
    return rows.map(toStoredKey)
  }
  return {
    valid: () => select(isValid),
    all: () => select('true'),
    add: ({ id, hash }, { name, role, requestsPerMinute, expiresAtMs }) =>
      inTransaction(pool, async client => {
        const { rows } = await client.query(
          `INSERT INTO callers.callers AS known (name, role, requests_per_minute) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET requests_per_minute = coalesce($3, known.requests_per_minute)
            RETURNING role`,
          [name, role, requestsPerMinute]
        )
        if (rows[0]?.role !== role) {
          throw new RangeError(`${name} exists with the role ${rows[0]?.role}: use this role or another name`)
        }
        await client.query(
          `INSERT INTO callers.api_keys (id, caller, hash, expires_at) VALUES ($1, $2, $3, to_timestamp($4::float8))`,
          [id, name, hash, expiresAtMs === undefined ? null : expiresAtMs / 1_000]
        )
      }),
    async revoke(which) {
      const [column, value] = 'id' in which ? ['id', which.id] : ['caller', which.name]
      const text = `UPDATE callers.api_keys SET revoked_at = now() WHERE ${column} = $1 AND ${isValid} RETURNING id`
      return (await pool.query(text, [value])).rows.map(({ id }) => id)
    }
  }
}

function toStoredKey(row: QueryResultRow): StoredKey {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    hash: row.hash,
    createdAtMs: row.created_at.getTime(),
    ...(row.requests_per_minute !== null && { requestsPerMinute: row.requests_per_minute }),
    ...(row.expires_at !== null && { expiresAtMs: row.expires_at.getTime() }),
    ...(row.revoked_at !== null && { revokedAtMs: row.revoked_at.getTime() })
  }
}
