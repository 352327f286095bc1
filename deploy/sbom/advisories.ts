/**
 * Compares the components of the images with the advisories of OSV and exits with 1 if one applies.
 * `accepted.json` lists the ids of advisories that do not apply, each with the reason. Runs on a
 * schedule: docs/guides/update-dependencies.md.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandSpec, readArguments } from '@orderly/command-line'
import { sbomNames } from './names.ts'

const spec: CommandSpec = {
  name: 'npm run advisories --',
  summary: 'ask OSV for advisories about the components of the images',
  examples: ['npm run advisories'],
  options: {},
  notes:
    'Exits with 1 if an advisory applies that deploy/sbom/accepted.json does not list. OSV_URL replaces the address.'
}
readArguments(spec)

const address = process.env.OSV_URL ?? 'https://api.osv.dev'
const perRequest = 500

const accepted = JSON.parse(await readFile(join(import.meta.dirname, 'accepted.json'), 'utf8')) as Record<
  string,
  string
>
const documents = await Promise.all(sbomNames.map(name => readFile(join(import.meta.dirname, name), 'utf8')))
const purls = [...new Set(documents.flatMap(text => purlsOf(text)))]
const open: string[] = []
for (let start = 0; start < purls.length; start += perRequest) {
  const some = purls.slice(start, start + perRequest)
  const response = await fetch(`${address}/v1/querybatch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ queries: some.map(purl => ({ package: { purl } })) }),
    signal: AbortSignal.timeout(60_000)
  })
  if (!response.ok) throw new Error(`${address} answered ${response.status}: try again later`)
  const { results } = (await response.json()) as { results: { vulns?: { id: string }[] }[] }
  for (const [index, { vulns = [] }] of results.entries()) {
    for (const { id } of vulns) if (!(id in accepted)) open.push(`${id}  ${some[index]}`)
  }
}
for (const line of open.toSorted()) process.stdout.write(`${line}\n`)
process.stdout.write(`${purls.length} components, ${open.length} advisories to decide on\n`)
process.exitCode = open.length === 0 ? 0 : 1

function purlsOf(text: string): string[] {
  const { components } = JSON.parse(text) as { components: { purl: string }[] }
  return components.map(({ purl }) => purl)
}
