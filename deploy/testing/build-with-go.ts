import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface GoProgram {
  readonly module: string
  readonly version: string
  /** Folder of the main package in the module. */
  readonly path: string
  /** Variable that holds the version which the program reports. */
  readonly versionVariable?: string
}

/** Downloads modules and builds programs of modules. Needs the Go toolchain. */
export interface GoBuilder {
  /** Returns the folder of a downloaded module. */
  sourceOf(module: string, version: string): Promise<string>
  /** Builds a program, unless the file is there. */
  build(file: string, program: GoProgram): Promise<void>
}

/**
 * Calls `use` with a builder in a temporary folder.
 * @throws Error with advice if the toolchain is missing or a build fails
 */
export async function withGo(use: (go: GoBuilder) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-build-'))
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' }
  const go = async (...args: string[]) => (await run('go', args, { cwd: directory, env, maxBuffer: 50_000_000 })).stdout
  const download = async (module: string, version: string): Promise<{ Dir: string; GoMod: string }> =>
    JSON.parse(await go('mod', 'download', '-json', `${module}@${version}`))
  try {
    await use({
      sourceOf: async (module, version) => (await download(module, version)).Dir,
      async build(file, { module, version, path, versionVariable }) {
        if (existsSync(file)) return
        process.stdout.write(`building ${file}\n`)
        const { GoMod } = await download(module, version)
        // Kubernetes refers to its own parts without a version.
        const parts = [...(await readFile(GoMod, 'utf8')).matchAll(/^\s+(\S+) v0\.0\.0$/gm)].map(
          ([, name]) => `replace ${name} => ${name} ${version.replace(/^v1/, 'v0')}`
        )
        await writeFile(
          join(directory, 'go.mod'),
          [`module build`, 'go 1.26.0', `require ${module} ${version}`, ...parts, ''].join('\n')
        )
        await mkdir(dirname(file), { recursive: true })
        const unfinished = `${file}.${process.pid}`
        const versionFlag = versionVariable === undefined ? '' : ` -X ${versionVariable}=${version}`
        await go('build', '-trimpath', `-ldflags=-s -w${versionFlag}`, '-o', unfinished, `${module}/${path}`)
        await rename(unfinished, file)
      }
    })
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
    throw new Error(code === 'ENOENT' ? '`go` is not on PATH: install Go 1.26 or newer' : stderr || message)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
