/**
 * Builds and checks the npm packages. Exits with 1 when publint or attw has a finding, or when the
 * public declarations differ from the API report in the repository.
 *
 * `npm run check` runs it with `--check`. `npm run generate` runs it without options, which writes
 * the API reports. `npm run build:packages` runs it with `--pack`.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type CommandSpec, formatRows, readArguments } from '@orderly/command-line'
import { orderlyDirectory, projectDirectory } from '@orderly/launcher'
import { packageSBOM } from '../sbom/components.ts'
import { apiReport, type BuiltPackage, buildPackage, publishedFolders } from './build.ts'
import { lintPackage } from './lint.ts'

const spec: CommandSpec = {
  name: 'npm run build:packages --',
  summary: 'build the npm packages, check them with publint and attw, and pack them into .orderly/packages',
  examples: ['npm run build:packages'],
  options: {
    check: { type: 'boolean', description: 'only compares the API reports, as npm run check does' },
    pack: { type: 'boolean', description: 'writes a tarball and a component list; npm run build:packages sets it' }
  }
}

const run = promisify(execFile)
const packages = join(orderlyDirectory, 'packages')

/** Runs npm in a folder, without scripts. */
export function npm(directory: string, ...args: readonly string[]) {
  const path = process.env.npm_execpath
  const [program, first] = path === undefined ? ['npm', []] : [process.execPath, [path]]
  return run(program, [...first, ...args, '--ignore-scripts'], { cwd: directory })
}

/** Writes the tarball and the component list of a package. @returns its name and sizes */
export async function pack(built: BuiltPackage, directory = packages): Promise<readonly string[]> {
  const { stdout } = await npm(built.directory, 'pack', '--json', '--loglevel=error', '--pack-destination', directory)
  const [{ filename, size, unpackedSize, entryCount }] = JSON.parse(stdout)
  const folders = built.contains.map(folder => `packages/${folder}`)
  writeFileSync(join(directory, `${built.folder}.cdx.json`), packageSBOM(built.name, built.version, folders))
  return [filename, `${(size / 1_000).toFixed(1)} kB`, `${(unpackedSize / 1_000).toFixed(1)} kB`, String(entryCount)]
}

/** Compares the API report of a package with the repository, or writes it. @returns findings */
function compareReport(built: BuiltPackage, isWritten: boolean): string[] {
  const file = join(projectDirectory, 'packages', built.folder, 'generated', 'api-report.txt')
  const report = apiReport(built)
  if (isWritten) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, report)
  } else if (readFileSync(file, 'utf8') !== report)
    return [
      `packages/${built.folder}/generated/api-report.txt does not match the public declarations: run \`npm run generate\`, and add what changed for users to packages/${built.folder}/CHANGELOG.md`
    ]
  return []
}

if (import.meta.main) {
  const { options } = readArguments(spec)
  const isPacking = options.flag('pack')
  // Checks may run while another process packs or tests the packages.
  const directory = isPacking ? packages : mkdtempSync(join(tmpdir(), 'orderly-packages-'))
  const rows: (readonly string[])[] = []
  for (const folder of publishedFolders()) {
    const built = await buildPackage(folder, join(directory, folder))
    const findings = [...(await lintPackage(built)), ...compareReport(built, !isPacking && !options.flag('check'))]
    for (const finding of findings) console.error(`${built.name}: ${finding}`)
    if (findings.length > 0) process.exitCode = 1
    if (isPacking) rows.push(await pack(built))
  }
  if (isPacking) {
    console.log(formatRows(['file in .orderly/packages', 'packed', 'unpacked', 'files'], rows))
  } else rmSync(directory, { recursive: true })
}
