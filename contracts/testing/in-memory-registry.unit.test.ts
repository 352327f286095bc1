import { createInMemoryRegistry } from './in-memory-registry.ts'
import { testRegistry } from './registry-contract.ts'

testRegistry('the registry in memory', createInMemoryRegistry)
