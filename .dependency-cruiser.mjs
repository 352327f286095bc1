// Rules of the layout (ARCHITECTURE.md). launcher/layers.unit.test.ts has a violating example for each
// rule.
const workspace = '^(contracts|launcher|cli|deploy|quality/verify|packages/[^/]+|services/[^/]+)/'
// Files that other workspaces may import in addition to index.ts: the Kafka use, settings and
// database schema of a service, the installation of connectors, and the list of topics.
const frontDoor =
  '^(contracts|launcher|packages/[^/]+)/(testing/)?index\\.ts$|^services/[^/]+/(kafka-access|config|store/schema)\\.ts$|^cli/commands\\.ts$|^deploy/(connect/connector|kafka/principals|kafka/topic-config|postgres/schemas|testing/compose)\\.ts$'
// Folders of a service that receive (HTTP requests, records, files, observations), and those that send.
const entrances = '(http|consumer|projection|stock-file|observer)'
const exits = '(publisher|delivery|metrics)'
const onlyInTests = '\\.test\\.ts$|/testing/'
// Folders of packages/kafka, from the lowest layer to the highest.
const kafkaLayers = [
  'codecs',
  'cluster',
  'fetch',
  'dead-letters',
  'producer',
  'consumer-group',
  'transaction',
  'inspect',
  'dead-letter-replay',
  'stage'
]
const nameless = '(^|/)(utils?|helpers?)(/|\\.ts$)'

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'domain-is-pure',
      comment: 'A domain imports only itself and the contracts, neither Node nor packages.',
      severity: 'error',
      from: { path: '^(services/[^/]+)/domain/', pathNot: onlyInTests },
      to: { pathNot: ['^$1/domain/', '^contracts/'] }
    },
    {
      name: 'domain-tests-stay-inside',
      comment: 'Tests of a domain import nothing else of the service.',
      severity: 'error',
      from: { path: '^(services/[^/]+)/domain/' },
      to: { path: '^services/', pathNot: '^$1/domain/' }
    },
    {
      name: 'no-cross-service-imports',
      comment: 'A service never imports another one. They share the contracts and communicate through topics.',
      severity: 'error',
      from: { path: '^(services/[^/]+)/' },
      to: { path: '^services/', pathNot: '^$1/' }
    },
    {
      name: 'entrances-do-not-know-exits',
      comment: 'Only main.ts connects entrances (http, consumer, …) to exits (publisher, delivery, …).',
      severity: 'error',
      from: { path: `^services/[^/]+/${entrances}/`, pathNot: onlyInTests },
      to: { path: `^services/[^/]+/${exits}/` }
    },
    {
      name: 'only-main-opens-entrances',
      comment: 'Only main.ts imports entrances, because another importer could connect them to exits.',
      severity: 'error',
      from: { path: '^services/([^/]+)/', pathNot: [`^services/[^/]+/(main\\.ts$|${entrances}/)`, onlyInTests] },
      to: { path: `^services/[^/]+/${entrances}/` }
    },
    {
      name: 'workspaces-have-a-front-door',
      comment: 'Another workspace is imported only through its index.ts or testing/index.ts.',
      severity: 'error',
      from: { path: workspace },
      to: { path: workspace, pathNot: ['^$1/', frontDoor] }
    },
    {
      name: 'packages-do-not-depend-on-services',
      comment: 'Packages and contracts import neither the services nor the launcher that runs them.',
      severity: 'error',
      from: { path: '^(packages|contracts)/', pathNot: onlyInTests },
      to: { path: '^(services|launcher)/' }
    },
    {
      name: 'no-test-code-in-production',
      comment: 'Only tests, the verifier and the comparison of clients import fakes and fixtures.',
      severity: 'error',
      from: { path: '\\.ts$', pathNot: [onlyInTests, '^quality/(verify|bench/clients)/'] },
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
      comment: 'No file or folder is called utils or helpers, even if it is not imported.',
      severity: 'error',
      from: { path: nameless },
      to: {}
    },
    {
      name: 'no-utils',
      comment: 'No file or folder is called utils or helpers, even if it has no imports.',
      severity: 'error',
      from: { path: nameless, orphan: true },
      to: {}
    },
    {
      name: 'no-circular',
      comment: 'Files do not import each other in a cycle.',
      severity: 'error',
      from: {},
      to: { circular: true }
    },
    ...kafkaLayers.slice(0, -1).map((layer, index) => ({
      name: 'kafka-has-layers',
      comment: 'A folder of packages/kafka imports only itself, lower layers and the files beside the folders.',
      severity: 'error',
      from: { path: `^packages/kafka/${layer}/`, pathNot: onlyInTests },
      to: { path: `^packages/kafka/(${kafkaLayers.slice(index + 1).join('|')})/` }
    })),
    {
      name: 'no-dead-imports',
      comment: 'Every import resolves to a file.',
      severity: 'error',
      from: {},
      // Only the compiler finds the types of fastify; k6 provides its own modules; the comparison of
      // clients installs others when it runs.
      to: { couldNotResolve: true, pathNot: '^(fastify/types/|k6($|/)|kafkajs$|@confluentinc/)' }
    }
  ],
  options: {
    // dependency-cruiser cannot parse TypeScript with version 7 of the compiler.
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
