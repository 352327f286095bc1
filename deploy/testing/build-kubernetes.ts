import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type CommandSpec, readArguments } from '@orderly/command-line'
import { definitions, programs, versions } from './kubernetes-programs.ts'

const spec: CommandSpec = {
  name: 'npm run build:kubernetes --',
  summary: 'build the API server of Kubernetes, Helm and the definitions of custom resources, with Go',
  examples: ['npm run build:kubernetes'],
  options: {},
  notes: 'It takes ten minutes of CPU time once, and is kept in .orderly/tools. npm run test:kubernetes needs it.'
}
readArguments(spec)

const run = promisify(execFile)
const customResources = {
  'github.com/kedacore/keda/v2': {
    version: versions.keda,
    files: ['config/crd/bases/keda.sh_scaledobjects.yaml', 'config/crd/bases/keda.sh_triggerauthentications.yaml']
  },
  'github.com/prometheus-operator/prometheus-operator': {
    version: versions.prometheusOperator,
    files: ['podmonitors', 'prometheusrules'].map(
      name => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`
    )
  }
}

const directory = await mkdtemp(join(tmpdir(), 'orderly-build-'))
const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' }
const go = async (...args: string[]) => (await run('go', args, { cwd: directory, env, maxBuffer: 50_000_000 })).stdout
try {
  if (!existsSync(definitions)) await copyDefinitions()
  await build(programs.helm, 'helm.sh/helm/v4', versions.helm, 'cmd/helm')
  await build(programs.apiServer, 'k8s.io/kubernetes', versions.kubernetes, 'cmd/kube-apiserver')
} catch (error) {
  const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
  const reason = code === 'ENOENT' ? '`go` is not on PATH: install Go 1.26 or newer' : stderr || message
  process.stderr.write(`The programs could not be built: ${reason}\n`)
  process.exitCode = 1
} finally {
  await rm(directory, { recursive: true, force: true })
}

async function copyDefinitions(): Promise<void> {
  const unfinished = `${definitions}.${process.pid}`
  await mkdir(unfinished, { recursive: true })
  for (const [module, { version, files }] of Object.entries(customResources)) {
    const { Dir: source } = await download(module, version)
    for (const file of files) await copyFile(join(source, file), join(unfinished, file.split('/').at(-1) as string))
  }
  await rename(unfinished, definitions)
}

async function download(module: string, version: string): Promise<{ Dir: string; GoMod: string }> {
  return JSON.parse(await go('mod', 'download', '-json', `${module}@${version}`))
}

async function build(program: string, module: string, version: string, path: string): Promise<void> {
  if (existsSync(program)) return
  process.stdout.write(`building ${program}\n`)
  const { GoMod } = await download(module, version)
  // Kubernetes refers to its own parts without a version.
  const parts = [...(await readFile(GoMod, 'utf8')).matchAll(/^\s+(\S+) v0\.0\.0$/gm)].map(
    ([, name]) => `replace ${name} => ${name} ${version.replace(/^v1/, 'v0')}`
  )
  await writeFile(
    join(directory, 'go.mod'),
    [`module build`, 'go 1.26.0', `require ${module} ${version}`, ...parts, ''].join('\n')
  )
  await mkdir(dirname(program), { recursive: true })
  const unfinished = `${program}.${process.pid}`
  // The API server reports this version, which Helm compares with the chart's `kubeVersion`.
  const flags = `-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=${version}`
  await go('build', '-trimpath', flags, '-o', unfinished, `${module}/${path}`)
  await rename(unfinished, program)
}
