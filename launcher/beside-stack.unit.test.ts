import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { portSettings } from '@orderly/service-kit'
import { besideStack } from './beside-stack.ts'
import { usualPorts } from './preflight/ports.ts'

const stack = {
  pid: 42,
  addresses: {
    KAFKA_BROKERS: '127.0.0.1:19092',
    SCHEMA_REGISTRY_URL: 'http://127.0.0.1:18085/apis/ccompat/v7',
    INVENTORY_URL: 'http://127.0.0.1:18081'
  }
}
const running = () => stack
const none = () => undefined

describe('besideStack', () => {
  test('a service uses the servers and its port of the running stack', () => {
    const environment = besideStack({}, 'inventory', running)
    assert.equal(environment.KAFKA_BROKERS, '127.0.0.1:19092')
    assert.equal(environment.SCHEMA_REGISTRY_URL, stack.addresses.SCHEMA_REGISTRY_URL)
    assert.equal(environment.HTTP_PORT, '18081')
    assert.equal(environment.ORDERLY_PROFILE, 'dev')
  })

  test('HTTP_PORT lets a second instance run beside the first', () => {
    assert.equal(besideStack({ HTTP_PORT: '8091' }, 'inventory', running).HTTP_PORT, '8091')
  })

  test('without a running stack, the port settings of npm start apply', () => {
    const environment = besideStack({ ORDERLY_PORT_BASE: '20000' }, 'order', none)
    assert.deepEqual(
      [environment.KAFKA_BROKERS, environment.SCHEMA_REGISTRY_URL, environment.HTTP_PORT],
      ['127.0.0.1:20000', 'http://127.0.0.1:20003/apis/ccompat/v7', '20004']
    )
    const own = { ORDERLY_KAFKA_PORT: '29092', ORDERLY_REGISTRY_PORT: '28085', ORDERLY_ORDER_PORT: '28080' }
    const chosen = besideStack(own, 'order', none)
    assert.deepEqual([chosen.KAFKA_BROKERS, chosen.HTTP_PORT], ['127.0.0.1:29092', '28080'])
  })

  test('the command line counts ports from ORDERLY_PORT_BASE as npm start does', () => {
    const ports = Object.values(usualPorts({ ORDERLY_PORT_BASE: '20000' }))
    for (const { name, index } of Object.values(portSettings)) {
      assert.equal(ports[index], 20_000 + index)
      assert.equal(Object.values(usualPorts({ [name]: '999' }))[index], 999, name)
    }
  })

  test('without a running stack and without settings, a program does not use the ports of another checkout', () => {
    assert.throws(
      () => besideStack({}, undefined, none),
      /KAFKA_BROKERS is not set, and no stack runs in this checkout/
    )
  })
})
