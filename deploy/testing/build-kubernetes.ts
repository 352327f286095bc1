import { existsSync } from 'node:fs'
import { copyFile, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandSpec, readArguments } from '@orderly/command-line'
import { type GoBuilder, withGo } from './build-with-go.ts'
import { definitions, programs, versions } from './kubernetes-programs.ts'

const spec: CommandSpec = {
  name: 'npm run build:kubernetes --',
  summary: 'build the API server of Kubernetes, Helm and the definitions of custom resources, with Go',
  examples: ['npm run build:kubernetes'],
  options: {},
  notes: 'It takes ten minutes of CPU time once, and is kept in .orderly/tools. npm run test:kubernetes needs it.'
}
readArguments(spec)

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

try {
  await withGo(async go => {
    if (!existsSync(definitions)) await copyDefinitions(go)
    await go.build(programs.helm, { module: 'helm.sh/helm/v4', version: versions.helm, path: 'cmd/helm' })
    await go.build(programs.apiServer, {
      ...{ module: 'k8s.io/kubernetes', version: versions.kubernetes, path: 'cmd/kube-apiserver' },
      // The API server reports this version, which Helm compares with the chart's `kubeVersion`.
      versionVariable: 'k8s.io/component-base/version.gitVersion'
    })
  })
} catch (error) {
  process.stderr.write(`The programs could not be built: ${(error as Error).message}\n`)
  process.exitCode = 1
}

async function copyDefinitions(go: GoBuilder): Promise<void> {
  const unfinished = `${definitions}.${process.pid}`
  await mkdir(unfinished, { recursive: true })
  for (const [module, { version, files }] of Object.entries(customResources)) {
    const source = await go.sourceOf(module, version)
    for (const file of files) await copyFile(join(source, file), join(unfinished, file.split('/').at(-1) as string))
  }
  await rename(unfinished, definitions)
}
