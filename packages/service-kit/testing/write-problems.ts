import { readFileSync, writeFileSync } from 'node:fs'
import { problemsTable } from '../http/problem-types.ts'

/** Writes the table of docs/problems.md. */
const file = new URL('../../../docs/problems.md', import.meta.url)
const table = /^\| code \|.*\n(?:\|.*\n)*/m
writeFileSync(
  file,
  readFileSync(file, 'utf8').replace(table, () => `${problemsTable()}\n`)
)
