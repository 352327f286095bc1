import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { cruise, type IConfiguration, type ICruiseResult } from 'dependency-cruiser'
import { projectDirectory } from './directories.ts'

// The path is computed, because the compiler would require type declarations for a literal path of
// a JavaScript module.
const rules: IConfiguration = (await import(join(projectDirectory, '.dependency-cruiser.mjs'))).default

const empty = 'export {}\n'

/** Returns the names of the rules that a project with these files violates. */
async function brokenRules(t: TestContext, files: Readonly<Record<string, string>>): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-layers-'))
  t.after(() => rmSync(directory, { recursive: true }))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(directory, dirname(file)), { recursive: true })
    writeFileSync(join(directory, file), text)
  }
  const ruleSet = { forbidden: rules.forbidden ?? [] }
  const options = { ...rules.options, baseDir: directory, ruleSet, validate: true }
  const { output } = await cruise(['.'], options, { ...rules.options?.enhancedResolveOptions })
  return [...new Set((output as ICruiseResult).summary.violations.map(({ rule }) => rule.name))]
}

const wrong: readonly { rule: string; title: string; files: Readonly<Record<string, string>> }[] = [
  {
    rule: 'domain-is-pure',
    title: 'a domain that imports Node',
    files: { 'services/order/domain/accept.ts': "import 'node:fs'\n" }
  },
  {
    rule: 'domain-is-pure',
    title: 'a domain that imports a type of its store',
    files: {
      'services/order/domain/accept.ts': "import type { Store } from '../store/store.ts'\nexport type Own = Store\n",
      'services/order/store/store.ts': 'export interface Store { size: number }\n'
    }
  },
  {
    rule: 'domain-tests-stay-inside',
    title: 'a domain test that imports the store',
    files: {
      'services/order/domain/accept.unit.test.ts': "import '../store/store.ts'\n",
      'services/order/store/store.ts': empty
    }
  },
  {
    rule: 'no-cross-service-imports',
    title: 'a service that imports another',
    files: {
      'services/order/main.ts': "import '../inventory/config.ts'\n",
      'services/inventory/config.ts': empty
    }
  },
  {
    rule: 'entrances-do-not-know-exits',
    title: 'an entrance that imports an exit',
    files: {
      'services/order/http/routes.ts': "import '../publisher/publish.ts'\n",
      'services/order/publisher/publish.ts': empty
    }
  },
  {
    rule: 'only-main-opens-entrances',
    title: 'a file other than main.ts that wires entrances to exits',
    files: {
      'services/order/wiring.ts': "import './http/routes.ts'\nimport './publisher/publish.ts'\n",
      'services/order/http/routes.ts': empty,
      'services/order/publisher/publish.ts': empty
    }
  },
  {
    rule: 'workspaces-have-a-front-door',
    title: 'a service that imports an internal file of a package',
    files: {
      'services/order/main.ts': "import '../../packages/kafka/producer/producer.ts'\n",
      'packages/kafka/producer/producer.ts': empty
    }
  },
  {
    rule: 'packages-do-not-depend-on-services',
    title: 'a package that imports the launcher',
    files: { 'packages/kafka/producer.ts': "import '../../launcher/index.ts'\n", 'launcher/index.ts': empty }
  },
  {
    rule: 'no-test-code-in-production',
    title: 'production code that imports a fake',
    files: { 'packages/kafka/producer.ts': "import './testing/fake.ts'\n", 'packages/kafka/testing/fake.ts': empty }
  },
  {
    rule: 'names-say-what',
    title: 'an imported file called helpers',
    files: { 'contracts/index.ts': "import './helpers.ts'\n", 'contracts/helpers.ts': empty }
  },
  {
    rule: 'names-say-what-also-unused',
    title: 'an unused folder called utils',
    files: { 'contracts/utils/text.ts': "import '../index.ts'\n", 'contracts/index.ts': empty }
  },
  {
    rule: 'no-utils',
    title: 'a file called util.ts without imports',
    files: { 'contracts/util.ts': empty }
  },
  {
    rule: 'no-circular',
    title: 'two files that import each other',
    files: { 'contracts/one.ts': "import './two.ts'\n", 'contracts/two.ts': "import './one.ts'\n" }
  },
  {
    rule: 'kafka-has-layers',
    title: 'a folder of packages/kafka that imports a higher layer',
    files: {
      'packages/kafka/stage/failpoints.ts': empty,
      'packages/kafka/transaction/producer.ts': "import '../stage/failpoints.ts'\n"
    }
  },
  {
    rule: 'no-dead-imports',
    title: 'an import of a missing file',
    files: { 'contracts/index.ts': "import './gone.ts'\n" }
  }
]

for (const { rule, title, files } of wrong) {
  test(`${title} violates ${rule}`, async t => {
    assert.ok((await brokenRules(t, files)).includes(rule))
  })
}

test('every rule has an example of a violation', () => {
  const tested = new Set(wrong.map(({ rule }) => rule))
  assert.deepEqual(
    rules.forbidden?.map(({ name }) => name).filter(name => !tested.has(name ?? '')),
    []
  )
})

test('a service in the intended layout violates no rule', async t => {
  const files = {
    'contracts/index.ts': empty,
    'services/order/domain/accept.ts': "import '../../../contracts/index.ts'\n",
    'services/order/http/routes.ts': "import '../domain/accept.ts'\n",
    'services/order/publisher/publish.ts': "import '../domain/accept.ts'\n",
    'services/order/main.ts': "import './http/routes.ts'\nimport './publisher/publish.ts'\n"
  }
  assert.deepEqual(await brokenRules(t, files), [])
})

test('ARCHITECTURE.md shows exactly the folders at the root', () => {
  const files = execFileSync('git', ['ls-files'], { cwd: projectDirectory, encoding: 'utf8', maxBuffer: 2 ** 24 })
  const folders = new Set(files.split('\n').flatMap(file => /^([^./][^/]*)\//.exec(file)?.[1] ?? []))
  const tree = readFileSync(join(projectDirectory, 'ARCHITECTURE.md'), 'utf8').matchAll(/^(\w+)\/(?= |$)/gm)
  assert.deepEqual([...tree].map(([, folder]) => folder).sort(), [...folders].sort())
})
