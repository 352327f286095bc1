import { createInMemoryRegistry } from './in-memory-registry.ts'
import { testRegistry } from './registry-contract.ts'

testRegistry('in-memory registry', createInMemoryRegistry)
