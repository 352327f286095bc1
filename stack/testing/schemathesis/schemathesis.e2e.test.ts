import { test } from 'node:test'
import { extraPorts } from '../../extras.ts'
import { freePorts } from '../../processes/ports.ts'
import { serverPorts } from '../../servers.ts'
import { serviceNames } from '../../services.ts'
import { startStack } from '../../stack.ts'
import { showLines } from '../../terminal/steps.ts'
import { superviseRun } from '../supervised-run.ts'
import { schemathesisOrSkip, tryWhateverItSays } from './schemathesis.ts'

test('Schemathesis finds no request that a running pipeline answers otherwise than its documents say', async t => {
  const schemathesis = await schemathesisOrSkip(t)
  if (schemathesis === undefined) return
  const { directories, supervisor } = superviseRun(t, 'test')
  const { KAFKA_BROKERS: _kafka, DATABASE_URL: _database, SCHEMA_REGISTRY_URL: _registry, ...environment } = process.env
  const { parts } = await startStack({
    ...{ supervisor, directories, environment, durable: false, partitions: 4, show: showLines },
    ports: await freePorts([...serverPorts, ...serviceNames, ...extraPorts])
  })
  for (const service of ['order', 'inventory']) {
    const { address = '' } = parts.find(({ name }) => name === service) ?? {}
    await t.test(service, () => tryWhateverItSays(schemathesis, address))
  }
})
