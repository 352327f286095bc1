import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configSchema } from '../config.ts'
import { createOrderApi } from './order-api.ts'

/**
 * Writes openapi.json: the document that the service answers at `/openapi.json` when it writes the newest version of OrderCreated, for
 * those who need it without a service: the client is made of it, and the linter reads it. `--check` compares instead of writing and
 * exits 1 on a difference.
 */

const file = fileURLToPath(new URL('../openapi.json', import.meta.url))

const { maximum: newestVersion = 1 } = configSchema.properties.ORDER_CREATED_VERSION as { maximum?: number }
const closing: (() => unknown)[] = []
const { http } = await createOrderApi(
  { after: close => closing.push(close as () => unknown) },
  { orderCreatedVersion: newestVersion }
)
const document = (await http.inject('/openapi.json')).json()
for (const close of closing) await close()
const text = `${JSON.stringify(document, undefined, 2)}\n`

if (!process.argv.includes('--check')) writeFileSync(file, text)
else if (readFileSync(file, 'utf8') !== text) {
  console.error('services/order/openapi.json is not what the routes say: run `npm run openapi -w @orderly/order`')
  process.exitCode = 1
}
