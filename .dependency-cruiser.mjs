// The rules of the layout (ARCHITECTURE.md), one each. Every rule has a wrong file in stack/layers.unit.test.ts that it finds.
const workspace = '^(contracts|stack|tool|verify|deploy|packages/[^/]+|services/[^/]+)/'
// Other workspaces also need what a service does on Kafka, its settings and its database schema, how a connector is installed, and the list of topics.
const frontDoor =
  '^(contracts|stack|packages/[^/]+)/(testing/)?index\\.ts$|^services/[^/]+/(kafka-uses|config|store/schema)\\.ts$|^deploy/(connect/connector|kafka/principals|kafka/topic-config|postgres/schemas)\\.ts$'
const onlyInTests = '\\.test\\.ts$|/testing/'
const nameless = '(^|/)(utils?|helpers?)(/|\\.ts$)'

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'domain-is-pure',
      comment: 'A domain decides: it imports itself and the contracts, and neither Node nor any package.',
      severity: 'error',
      from: { path: '^(services/[^/]+)/domain/', pathNot: onlyInTests },
      to: { pathNot: ['^$1/domain/', '^contracts/'] }
    },
    {
      name: 'domain-tests-stay-inside',
      comment: 'Tests of a domain need nothing else of the service.',
      severity: 'error',
      from: { path: '^(services/[^/]+)/domain/' },
      to: { path: '^services/', pathNot: '^$1/domain/' }
    },
    {
      name: 'services-are-strangers',
      comment: 'A service never imports another: they share the contracts and talk through topics.',
      severity: 'error',
      from: { path: '^(services/[^/]+)/' },
      to: { path: '^services/', pathNot: '^$1/' }
    },
    {
      name: 'entrances-do-not-know-exits',
      comment: 'Only main.ts wires where data enters to where it leaves.',
      severity: 'error',
      from: { path: '^services/[^/]+/from-', pathNot: onlyInTests },
      to: { path: '^services/[^/]+/to-' }
    },
    {
      name: 'only-main-opens-entrances',
      comment: 'Whatever else imported an entrance could wire it to an exit as well.',
      severity: 'error',
      from: { path: '^services/([^/]+)/', pathNot: ['^services/[^/]+/(main\\.ts$|from-)', onlyInTests] },
      to: { path: '^services/[^/]+/from-' }
    },
    {
      name: 'workspaces-have-a-front-door',
      comment: 'Another workspace is imported by what its index.ts (or testing/index.ts) lists.',
      severity: 'error',
      from: { path: workspace },
      to: { path: workspace, pathNot: ['^$1/', frontDoor] }
    },
    {
      name: 'packages-come-first',
      comment: 'Packages and contracts know neither the services nor the stack that runs them.',
      severity: 'error',
      from: { path: '^(packages|contracts)/', pathNot: onlyInTests },
      to: { path: '^(services|stack)/' }
    },
    {
      name: 'tests-own-testing',
      comment: 'Fakes and fixtures are for tests, and for the verifier, which is one.',
      severity: 'error',
      from: { path: '\\.ts$', pathNot: [onlyInTests, '^verify/'] },
      to: { path: '/testing/' }
    },
    {
      name: 'names-say-what',
      comment: 'No file or folder is called utils or helpers.',
      severity: 'error',
      from: {},
      to: { path: nameless, pathNot: 'node_modules' }
    },
    {
      name: 'names-say-what-also-unused',
      comment: 'No file or folder is called utils or helpers, whether or not something imports it.',
      severity: 'error',
      from: { path: nameless },
      to: {}
    },
    {
      name: 'names-say-what-also-alone',
      comment: 'No file or folder is called utils or helpers, not even one without imports.',
      severity: 'error',
      from: { path: nameless, orphan: true },
      to: {}
    },
    {
      name: 'no-circles',
      comment: 'Files that import each other in a circle are one file in pieces.',
      severity: 'error',
      from: {},
      to: { circular: true }
    },
    {
      name: 'no-dead-imports',
      comment: 'Every import leads somewhere.',
      severity: 'error',
      from: {},
      // fastify's types lie where only the compiler finds them; k6 brings its modules itself.
      to: { couldNotResolve: true, pathNot: '^(fastify/types/|k6($|/))' }
    }
  ],
  options: {
    // dependency-cruiser cannot read TypeScript with the compiler's version 7.
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(\\.orderly|node_modules/\\.)' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js']
    }
  }
}
