import { fileURLToPath } from 'node:url'
import { createConfig, formatProblems, getTotals, lint } from '@redocly/openapi-core'

/** Lints the order service's OpenAPI document: Redocly's recommended rules, warnings count as errors. */

const document = fileURLToPath(new URL('../../services/order/openapi.json', import.meta.url))

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
const problems = await lint({ ref: document, config })
formatProblems(problems, { format: 'codeframe', totals: getTotals(problems), version: '' })
process.exitCode = problems.length === 0 ? 0 : 1
