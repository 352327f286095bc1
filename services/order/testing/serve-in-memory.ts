import { serveParent } from '@orderly/service-kit/testing'
import { createOrderApi } from './order-api.ts'

/** Serves the order API in memory, for a test that limits the memory of its process. */
const api = await createOrderApi({ after: () => {} })
await serveParent(api.listen)
