import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { jarsDirectory, orderlyDirectory, projectDirectory } from '../directories.ts'
import { freePort, freePorts } from '../processes/ports.ts'
import { waitUntil } from '../processes/wait.ts'
import { ownEnvironment } from '../testing/own-environment.ts'
import { processesUnder } from '../testing/process-list.ts'
import { npmScripts } from './commands.ts'

/**
 * Follows the README: clones, starts, places an order, looks it up and stops, with the commands as
 * they are written there. Only the ports and the address of the repository are replaced.
 *
 * The clone is in a path with a space, an umlaut and the characters that separate values in settings
 * files and URLs. If the test runs as root, the newcomer is the
 * user `nobody`. Its home directory is read-only, and the registries of npm and Maven are
 * unreachable: the clone gets copies of the packages and jars of this checkout. `npm test` is not
 * run, because it contains this test.
 */
const ports = await freePorts([
  'KAFKA',
  'KAFKA_CONTROLLER',
  'POSTGRES',
  'REGISTRY',
  'ORDER',
  'INVENTORY',
  'NOTIFICATION',
  'AGGREGATOR'
] as const)

test('a newcomer who follows the README in a fresh clone gets an outcome, offline and as a normal user', {
  timeout: 300_000
}, async t => {
  const newcomer = createNewcomer(t)
  const [clone = '', start = ''] = commandsOf('Quick start')
  const [place = '', look = ''] = commandsOf('One order')
  assert.match(clone, /^git clone <this repository> orderly && cd orderly$/)
  assert.match(start, /^npm start$/)

  await newcomer.run(clone.replace('<this repository>', '"$REPOSITORY"').replace(/ && cd .*$/, ''))
  newcomer.enterClone('orderly')
  const running = newcomer.start(start)
  await running.waitFor('Ctrl-C stops everything')
  assert.match(running.output(), /starting kafka, postgres, registry[\s\S]*kafka: ready/)
  assert.doesNotMatch(running.output(), /NOT HEALTHY|setup:|download/)

  const placed = await newcomer.run(place)
  assert.match(placed, /^HTTP\/1\.1 202 Accepted\r$/m)
  const orderID = /"orderID":"([^"]+)"/.exec(placed)?.[1] ?? ''
  assert.match(await newcomer.run(place), new RegExp(`"orderID":"${orderID}"`))
  const status = () => newcomer.run(look.replace('0198…', orderID))
  await waitUntil(async () => /"status":"reserved"/.test(await status()), { what: 'the outcome', deadlineMs: 60_000 })

  const notifications = /see (\S+notification\.log)/.exec(running.output())?.[1] ?? ''
  const log = () => readFileSync(join(newcomer.directory(), notifications), 'utf8')
  await waitUntil(() => log().includes('Order reserved'), { what: 'the notification', deadlineMs: 60_000 })

  // A second terminal, without the port settings.
  const doctor = await newcomer.run('npm run --silent orderly -- doctor', { withPorts: false })
  assert.match(doctor, /^(No problems|hint)/)
  const more = newcomer.start('npm run service -- inventory', {
    ...{ INSTANCE_ID: '2', HTTP_PORT: String(await freePort()), ORDERLY_INVENTORY_PORT: undefined }
  })
  await more.waitFor('"msg":"listening"')
  await more.interrupt()

  await running.interrupt()
  assert.match(running.output(), /stopping: services, then servers/)
  assert.deepEqual(await processesUnder(newcomer.directory()), [])
  await newcomer.run('npm run reset')
  assert.equal(existsSync(join(newcomer.directory(), '.orderly', 'data')), false)
})

test('every npm script has a help with an example, which changes nothing and needs no running stack', async t => {
  for (const [name, script] of Object.entries(npmScripts())) {
    await t.test(name, () => {
      // With these permissions Node can neither write files nor start processes.
      const permissions = ['--permission', '--allow-fs-read=*', '--allow-addons']
      const [, command = ''] = /^exec node bootstrap\.mjs (.+)$/.exec(script) ?? []
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [...permissions, ...command.split(' '), '--help'],
        {
          cwd: projectDirectory,
          encoding: 'utf8',
          env: ownEnvironment()
        }
      )
      assert.equal(status, 0, stderr)
      const [, examples = ''] = stdout.split(/^Examples?:$/m)
      assert.match(examples, new RegExp(`npm (?:run )?(?:--silent )?${name}(?: |$)`, 'm'), stdout)
    })
  }
})

test('npm passes --help to a command', () => {
  const script = ['run', '--silent', 'service', '--', '--help']
  const help = execFileSync('npm', script, { cwd: projectDirectory, encoding: 'utf8', env: ownEnvironment() })
  assert.match(help, /^Usage: npm run service/)
})

/**
 * Returns the commands in the shell blocks of a section, without comments and with changed ports.
 */
function commandsOf(heading: string): string[] {
  const readme = readFileSync(join(projectDirectory, 'README.md'), 'utf8')
  const section = readme.split(/^## /m).find(text => text.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    block
      .replaceAll('\\\n', ' ')
      .trim()
      .split('\n')
      .map(line => line.replace(/ +# .*$/, '').replace('127.0.0.1:8080', `127.0.0.1:${ports.ORDER}`))
  )
}

function createNewcomer(t: TestContext) {
  const parent = mkdtempSync(join(tmpdir(), 'orderly newcömer,#!=-'))
  const user = process.getuid?.() === 0 ? idsOf('nobody') : undefined
  const repository = join(parent, 'repository.git')
  const home = join(parent, 'home')
  const processes: ChildProcess[] = []
  let directory = join(parent, 'work')
  t.after(async () => {
    await Promise.all(processes.map(child => stop(child, 'SIGKILL')))
    rmSync(parent, { recursive: true, force: true })
  })
  // The newcomer cannot read a checkout in the home directory of root.
  execFileSync('git', ['clone', '--quiet', '--bare', '--depth', '1', `file://${projectDirectory}`, repository])
  mkdirSync(home)
  writeFileSync(join(home, '.gitconfig'), '[safe]\n\tdirectory = *\n')
  mkdirSync(directory)
  give(directory)
  for (const path of [home, repository]) give(path)
  chmodSync(parent, 0o755)
  chmodSync(home, 0o555)

  const portSettings = Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [`ORDERLY_${name}_PORT`, String(port)])
  )
  const { npm_execpath: _, ORDERLY_STACK: __, ...own } = ownEnvironment()
  const inherited = Object.entries(own).filter(([name]) => !/^npm_|^NODE_|^ORDERLY_|^XDG_/.test(name))
  const environment = {
    ...Object.fromEntries(inherited),
    ...{ HOME: home, REPOSITORY: repository },
    ...{ npm_config_registry: 'http://127.0.0.1:9/', ORDERLY_MAVEN_REPOSITORY: 'http://127.0.0.1:9/' }
  }

  function launch(command: string, env: NodeJS.ProcessEnv): ChildProcess {
    const asUser = user === undefined ? [] : ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']
    const [program = '', ...args] = [...asUser, 'sh', '-c', command]
    const child = spawn(program, args, {
      cwd: directory,
      env: { ...environment, ...env },
      // A terminal sends Ctrl-C to a process group.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe']
    })
    processes.push(child)
    return child
  }

  function give(path: string): void {
    if (user !== undefined) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, path])
  }

  return {
    directory: () => directory,
    /**
     * Enters the clone and gives it the packages and jars of this checkout, so that it needs no
     * network.
     */
    enterClone(name: string) {
      directory = join(directory, name)
      const tools = readdirSync(join(orderlyDirectory, 'tools')).filter(tool => /^(node-|jdk)/.test(tool))
      const jars = readdirSync(jarsDirectory).filter(jar => /^(kafka|registry)-\d/.test(jar))
      const paths = [
        'node_modules',
        'packages/client/node_modules',
        ...tools.map(tool => `.orderly/tools/${tool}`),
        ...jars.map(jar => `.orderly/jars/${jar}`)
      ]
      for (const path of paths.filter(path => existsSync(join(projectDirectory, path)))) {
        mkdirSync(join(directory, path, '..'), { recursive: true })
        execFileSync('cp', ['-a', join(projectDirectory, path), join(directory, path)])
      }
      give(directory)
    },
    /** Runs a command to its end. @returns its standard output */
    async run(command: string, { withPorts = true } = {}): Promise<string> {
      const child = launch(command, withPorts ? portSettings : {})
      const output = collect(child)
      const [code] = await once(child, 'close')
      assert.equal(code, 0, `${command}:\n${output.stdout}${output.stderr}`)
      return output.stdout
    },
    start(command: string, env: NodeJS.ProcessEnv = {}) {
      const child = launch(command, { ...portSettings, ...env })
      const output = collect(child)
      const text = () => output.stdout + output.stderr
      return {
        output: text,
        async waitFor(expected: string) {
          const hasEnded = () => child.exitCode !== null || child.signalCode !== null
          await waitUntil(() => text().includes(expected) || hasEnded(), { what: `"${expected}"`, deadlineMs: 180_000 })
          assert.ok(text().includes(expected), `${command} ended:\n${text()}`)
        },
        /** Sends Ctrl-C. Resolves when all processes that write to its output have ended. */
        interrupt: () => stop(child, 'SIGINT')
      }
    }
  }
}

function collect(child: ChildProcess) {
  const output = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', text => (output.stdout += text))
  child.stderr?.setEncoding('utf8').on('data', text => (output.stderr += text))
  return output
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const closed = once(child, 'close')
  process.kill(-child.pid, signal)
  await closed
}

function idsOf(name: string) {
  const [uid, gid] = ['-u', '-g'].map(flag => Number(execFileSync('id', [flag, name], { encoding: 'utf8' })))
  return { uid, gid }
}
