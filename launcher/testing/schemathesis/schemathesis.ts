import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { pythonOrSkip } from '../python.ts'

const run = promisify(execFile)
const settings = join(import.meta.dirname, 'schemathesis.toml')

/**
 * Returns a Python with Schemathesis (https://schemathesis.readthedocs.io), which sends valid and
 * invalid requests derived from an OpenAPI document.
 */
export function schemathesisOrSkip(test: TestContext): Promise<string | undefined> {
  return pythonOrSkip(test, 'Schemathesis', join(import.meta.dirname, 'requirements.txt'))
}

/** Tests a running service against its OpenAPI document. @throws Error with all findings */
export async function testAgainstDocument(python: string, serviceURL: string, apiKey: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-schemathesis-'))
  try {
    const document = await (await fetch(`${serviceURL}/openapi.json`)).json()
    await writeFile(join(directory, 'openapi.json'), JSON.stringify(within(document)))
    await run(
      python,
      [
        ...['-m', 'schemathesis.cli', '--config-file', settings, 'run', 'openapi.json', '--no-color'],
        ...['--url', serviceURL, '--header', `Authorization: Bearer ${apiKey}`]
      ],
      { cwd: directory, timeout: 180_000, maxBuffer: 50e6 }
    )
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`Schemathesis on ${serviceURL}:\n${stdout}\n${stderr}`, { cause: error })
  } finally {
    await rm(directory, { recursive: true })
  }
}

const unknownTypes = new Set(['application/x-ndjson', 'text/csv'])

/**
 * Returns the part of a document that Schemathesis can generate requests for: without ranges
 * of surrogates in patterns, NDJSON and CSV.
 */
function within(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(within)
  if (typeof part !== 'object' || part === null) return part
  const fields = Object.entries(part).filter(([name]) => !unknownTypes.has(name))
  return Object.fromEntries(
    fields.map(([name, value]) => {
      const isUnicode = name === 'pattern' && typeof value === 'string' && value.includes('\\ud800')
      return [name, isUnicode ? '^[!-~]*$' : within(value)]
    })
  )
}
