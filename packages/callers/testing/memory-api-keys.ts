import { newApiKey } from '../keys/api-key.ts'
import type { ApiKeyStore, KeyGrant, StoredKey } from '../keys/key-store.ts'

/** Creates a store of API keys in memory, for tests. */
export function createMemoryApiKeyStore(nowMs: () => number = Date.now): ApiKeyStore {
  let keys: StoredKey[] = []
  const isValid = ({ expiresAtMs, revokedAtMs }: StoredKey) =>
    revokedAtMs === undefined && (expiresAtMs === undefined || expiresAtMs > nowMs())
  return {
    valid: async () => keys.filter(isValid),
    all: async () => keys,
    async add({ id, hash }, { requestsPerMinute, ...grant }) {
      const others = keys.filter(({ name }) => name === grant.name)
      const quota = requestsPerMinute ?? others[0]?.requestsPerMinute
      const limit = quota === undefined ? {} : { requestsPerMinute: quota }
      if (others.some(({ role }) => role !== grant.role)) {
        throw new RangeError(`${grant.name} exists with the role ${others[0]?.role}: use this role or another name`)
      }
      keys = keys.map(key => (key.name === grant.name ? { ...key, ...limit } : key))
      keys.push({ ...grant, ...limit, id, hash: hash.toString('hex'), createdAtMs: nowMs() })
    },
    async revoke(which) {
      const isMeant = (key: StoredKey) =>
        isValid(key) && ('id' in which ? key.id === which.id : key.name === which.name)
      const revoked = keys.filter(isMeant).map(({ id }) => id)
      keys = keys.map(key => (isMeant(key) ? { ...key, revokedAtMs: nowMs() } : key))
      return revoked
    }
  }
}

/** Creates a key for a test. @returns the whole key */
export async function grantKey(store: Pick<ApiKeyStore, 'add'>, grant: KeyGrant): Promise<string> {
  const key = newApiKey()
  await store.add(key, grant)
  return key.key
}
