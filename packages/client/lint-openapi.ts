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
for (const service of ['order', 'inventory', 'aggregator']) {
  const document = fileURLToPath(new URL(`../service-kit/http/api-documents/${service}.json`, import.meta.url))
  const problems = await lint({ ref: document, config })
  formatProblems(problems, { format: 'codeframe', totals: getTotals(problems), version: '' })
  if (problems.length > 0) process.exitCode = 1
}
