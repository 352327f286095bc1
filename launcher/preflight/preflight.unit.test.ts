import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { registryJars } from '../components/jars.ts'
import { freePort, loopback } from '../processes/ports.ts'
import { portUses, usualPorts } from './ports.ts'
import { preflight, refuseFullDisk, refuseImpossiblePath } from './preflight.ts'

const externals = new Map([
  ['kafka', 'kafka.example:9092'],
  ['registry', 'https://schemas.example']
] as const)

test('a port in use is refused with its number, its component and its setting', async t => {
  const server = createServer().listen(0, loopback)
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const use = { component: 'order', port, setting: 'ORDERLY_ORDER_PORT' }
  await assert.rejects(preflight({ directory: tmpdir(), externals, ports: [use] }), {
    name: 'UserError',
    message: new RegExp(
      `^Port ${port} of 127.0.0.1 is in use, needed for order \\(ORDERLY_ORDER_PORT\\)\\.\n.*--free-ports$`
    )
  })
})

test('all ports in use are refused together', async t => {
  const uses = await Promise.all(
    ['order', 'inventory'].map(async component => {
      const server = createServer().listen(0, loopback)
      t.after(() => server.close())
      await once(server, 'listening')
      return {
        component,
        port: (server.address() as AddressInfo).port,
        setting: `ORDERLY_${component.toUpperCase()}_PORT`
      }
    })
  )
  await assert.rejects(preflight({ directory: tmpdir(), externals, ports: uses }), {
    message: new RegExp(
      `^Port ${uses[0]?.port} .*for order.*\nPort ${uses[1]?.port} .*for inventory.*\nStop the programs`
    )
  })
})

test('a free port that is assigned to two components is refused with both of them', async () => {
  const port = await freePort()
  const uses = ['order', 'inventory'].map(component => ({
    component,
    port,
    setting: `ORDERLY_${component.toUpperCase()}_PORT`
  }))
  await assert.rejects(preflight({ directory: tmpdir(), externals, ports: uses }), {
    name: 'UserError',
    message: new RegExp(
      `^Port ${port} is assigned to order \\(ORDERLY_ORDER_PORT\\) and to inventory \\(ORDERLY_INVENTORY_PORT\\)\\.\n`
    )
  })
})

test('a checkout path that Java or Postgres cannot read is refused; other special characters are accepted', () => {
  refuseImpossiblePath("/home/ü/a b,c#d!e=f%g&h'i")
  for (const character of ['$', '`', '"'])
    assert.throws(() => refuseImpossiblePath(`/home/a${character}b`), {
      message: `The path of this checkout contains ${character}, which the shell interprets when Postgres creates its data: move it to a path without that character.`
    })
  assert.throws(() => refuseImpossiblePath('/home/a!/b'), /contains a folder whose name ends with "!", .* move it/)
  assert.throws(() => refuseImpossiblePath('/home/a:b'), {
    name: 'UserError',
    message: /^The path of this checkout contains ":", .* move it/
  })
})

test('the ports of external servers are not checked', () => {
  const uses = portUses(usualPorts({}), externals)
  assert.deepEqual(
    uses.map(({ component }) => component),
    ['postgres', 'order', 'inventory', 'notification', 'aggregator']
  )
})

test('every port has a setting, and an invalid port is refused with the name of its setting', () => {
  assert.equal(usualPorts({ ORDERLY_KAFKA_CONTROLLER_PORT: '19093' }).kafkaController, 19093)
  assert.equal(usualPorts({ ORDERLY_ORDER_PORT: '' }).order, 8080)
  const { order, ...others } = usualPorts({ ORDERLY_PORT_BASE: '20000', ORDERLY_ORDER_PORT: '8080' })
  assert.equal(order, 8080)
  assert.deepEqual(
    Object.values(others).toSorted(),
    Array.from({ length: 14 }, (_, index) => 20_000 + index).filter(port => port !== 20_004)
  )
  assert.throws(() => usualPorts({ ORDERLY_PORT_BASE: '65530' }), /ORDERLY_PORT_BASE is "65530": .* from 1 to 65522/)
  assert.throws(() => usualPorts({ ORDERLY_ORDER_PORT: '80800' }), /ORDERLY_ORDER_PORT is "80800": set it to a port/)
})

test('a disk without space for the downloads is refused with both sizes', () => {
  refuseFullDisk(400, [])
  assert.throws(
    () => refuseFullDisk(400, [registryJars]),
    /^UserError: Only 400 MB are free.* 630 MB are needed: .*npm run reset/
  )
})
