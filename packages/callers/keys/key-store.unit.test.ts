import { createMemoryApiKeyStore } from '../testing/memory-api-keys.ts'
import { testApiKeyStore } from './testing/api-key-store-contract.ts'

testApiKeyStore('API keys in memory', async () => createMemoryApiKeyStore())
