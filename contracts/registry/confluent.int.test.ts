import { integrationEnvironment } from '@orderly/launcher/testing'
import { testRegistry } from '../testing/registry-contract.ts'
import { createSchemaRegistry } from './confluent.ts'

testRegistry('real registry', () => createSchemaRegistry({ url: integrationEnvironment().registryURL }))
