export { createMemoryApiKeyStore, grantKey } from './memory-api-keys.ts'
