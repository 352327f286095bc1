import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createConfig, formatProblems, getTotals, lint } from '@redocly/openapi-core'

/**
 * Lints the services' OpenAPI documents with Redocly's recommended rules. Warnings count as errors.
 */

const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    'operation-4xx-response': 'error',
    'no-invalid-media-type-examples': 'error',
    'no-invalid-schema-examples': 'error',
    'operation-operationId-unique': 'error',
    'operation-description': 'error',
    'tag-description': 'error'
  }
})
const directory = fileURLToPath(new URL('../service-kit/http/api-documents', import.meta.url))
for (const document of readdirSync(directory)) {
  const problems = await lint({ ref: join(directory, document), config })
  formatProblems(problems, { format: 'codeframe', totals: getTotals(problems), version: '' })
  if (problems.length > 0) process.exitCode = 1
}
