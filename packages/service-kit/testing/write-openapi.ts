import { readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'

type Closing = () => unknown

/**
 * Writes what an API answers at `/openapi.json` to a file, for those who need it without a service: the linter, and who makes a client.
 * With `--check` on the command line it compares instead, and exits 1 on a difference.
 */
export async function writeOpenApi(
  file: URL,
  open: (t: { after(close: Closing): void }) => Promise<FastifyInstance>
): Promise<void> {
  const closing: Closing[] = []
  const http = await open({ after: close => closing.push(close) })
  const document = (await http.inject('/openapi.json')).json()
  for (const close of closing) await close()
  const text = `${JSON.stringify(document, undefined, 2)}\n`

  if (!process.argv.includes('--check')) writeFileSync(file, text)
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${relative('', fileURLToPath(file))} is not what the routes say`)
    process.exitCode = 1
  }
}
