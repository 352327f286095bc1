import { readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { ApiName } from '../http/api-page.ts'

type Closing = () => unknown

/**
 * Writes the response of `/openapi.json` to a file, for the API pages of other services, the linter
 * and the client generator. With `--check` on the command line it compares instead, and sets exit
 * code 1 on a difference.
 */
export async function writeOpenApi(
  name: ApiName,
  open: (t: { after(close: Closing): void }) => Promise<FastifyInstance>
): Promise<void> {
  const file = new URL(`../http/api-documents/${name}.json`, import.meta.url)
  const closing: Closing[] = []
  const http = await open({ after: close => closing.push(close) })
  const document = (await http.inject('/openapi.json')).json()
  for (const close of closing) await close()
  const text = `${JSON.stringify(document, undefined, 2)}\n`

  if (!process.argv.includes('--check')) writeFileSync(file, text)
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${relative('', fileURLToPath(file))} does not match the routes: run \`npm run generate\``)
    process.exitCode = 1
  }
}
