/**
 * A program that writes generated files. With `--check` it compares them instead and exits with 1
 * on a difference.
 */
export interface Generator {
  readonly name: string
  /** Path of the program, relative to the project. */
  readonly program: string
}

/** All generators, in dependency order. */
export const generators: readonly Generator[] = [
  { name: 'contracts', program: 'contracts/generate.ts' },
  { name: 'deployment', program: 'deploy/generate.ts' },
  { name: 'dashboards', program: 'deploy/grafana/generate.ts' },
  { name: 'OpenAPI document of order', program: 'services/order/testing/write-openapi.ts' },
  { name: 'OpenAPI document of inventory', program: 'services/inventory/testing/write-openapi.ts' },
  { name: 'OpenAPI document of aggregator', program: 'services/aggregator/testing/write-openapi.ts' },
  { name: 'client', program: 'packages/client/generate.ts' },
  { name: 'API reports of npm packages', program: 'deploy/packages/main.ts' },
  { name: 'error codes', program: 'packages/service-kit/testing/write-problems.ts' },
  { name: 'reference', program: 'launcher/documentation/generate.ts' }
]
