import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { credentialsFileOf, databaseAccess } from '../../components/postgres-credentials.ts'
import { projectDirectory } from '../../directories.ts'
import { extraPorts } from '../../extras.ts'
import { freePorts } from '../../processes/ports.ts'
import { serverPorts } from '../../servers.ts'
import { serviceNames } from '../../services.ts'
import { startStack } from '../../stack.ts'
import { showLines } from '../../terminal/steps.ts'
import { ownEnvironment } from '../own-environment.ts'
import { superviseRun } from '../supervised-run.ts'
import { schemathesisOrSkip, testAgainstDocument } from './schemathesis.ts'

const run = promisify(execFile)

test('Schemathesis finds no response of a running pipeline that contradicts its OpenAPI documents', async t => {
  const python = await schemathesisOrSkip(t)
  if (python === undefined) return
  const { directories, supervisor } = superviseRun(t, 'test')
  const { components } = await startStack({
    ...{ supervisor, directories, durable: false, partitions: 4, show: showLines },
    environment: { ...ownEnvironment(), API_KEYS: 'required', API_KEYS_REFRESH_MS: '200' },
    ports: await freePorts([...serverPorts, ...serviceNames, ...extraPorts])
  })
  const addressOf = (component: string) => components.find(({ name }) => name === component)?.address ?? ''
  const apiKeys = join(projectDirectory, 'services', 'order', 'api-keys.ts')
  for (const { service, role } of [
    { service: 'order', role: 'shop' },
    { service: 'inventory', role: 'operator' }
  ]) {
    const words = `create --name ${role} --role ${role} --requests-per-minute 1000000`.split(' ')
    const access = databaseAccess(credentialsFileOf(join(directories.data, 'postgres')))
    const env = { ...process.env, DATABASE_URL: access.urlOf('orderly_operator') }
    const { stdout: key } = await run(process.execPath, [apiKeys, ...words], { env })
    await t.test(service, () => testAgainstDocument(python, addressOf(service), key.trim()))
  }
})
