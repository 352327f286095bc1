import { createMemoryLedger } from './memory.ts'
import { testLedger } from './testing/ledger-contract.ts'

testLedger('the ledger in memory', async (_t, nowMs) => createMemoryLedger(nowMs))
