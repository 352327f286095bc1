import { createMemoryLedger } from './memory.ts'
import { testLedger } from './testing/ledger-contract.ts'

testLedger('delivery table in memory', async (_t, nowMs) => createMemoryLedger(nowMs))
