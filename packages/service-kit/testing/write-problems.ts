import { readFileSync, writeFileSync } from 'node:fs'
import { problemsTable } from '../http/problem-types.ts'

/**
 * Writes the table of docs/reference/error-codes.md. With `--check` it compares, and exits with 1
 * on a difference.
 */
const name = 'docs/reference/error-codes.md'
const file = new URL(`../../../${name}`, import.meta.url)
const table = /^\| code \| status \|.*\n(?:\|.*\n)*/m
const present = readFileSync(file, 'utf8')
const text = present.replace(table, () => `${problemsTable()}\n`)
if (text !== present) {
  if (process.argv.includes('--check')) {
    console.error(`${name} differs from the catalogue of problems: run \`npm run generate\``)
    process.exitCode = 1
  } else writeFileSync(file, text)
}
