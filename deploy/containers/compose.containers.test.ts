/**
 * Tests images and the compose file in containers. `npm run test:containers` prepares the engine and the
 * images, and removes everything afterwards.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { waitUntil } from '@orderly/launcher'
import { services } from '../testing/compose.ts'
import { prometheusAPI } from '../testing/prometheus-api.ts'
import { findSecrets } from './testing/find-secrets.ts'
import { baseOf, builtImages, inspectImage, withOwnLayers } from './testing/images.ts'
import { memoryOf, securityOf } from './testing/kernel-view.ts'
import { type Container, givenProject, openProject, serviceOf } from './testing/project.ts'
import { placeOrder, placeOrders, type Shop, send, sku, waitForStatus } from './testing/shop.ts'

const given = givenProject()
const profiles = 'kraft,audit,monitoring'
const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`

const reservedStock = 'SELECT sku, reserved FROM inventory.stock ORDER BY sku'

describe('containers', {
  skip: given === undefined && 'run `npm run test:containers`, which prepares the images'
}, () => {
  if (given === undefined) return
  const project = openProject(given)

  test('every delivered image has OCI labels, no root user and no secret in its layers', async t => {
    const check = async (target: string, image: string, layers: readonly string[]) => {
      const { Config, Size } = await inspectImage(given.engine, image)
      for (const key of ['title', 'description', 'licenses', 'version', 'revision']) {
        assert.ok(Config.Labels[`org.opencontainers.image.${key}`], `${image}: ${key}`)
      }
      assert.equal(Config.Labels['org.opencontainers.image.title'], `orderly/${target}`)
      assert.match(Config.User, /^[1-9]\d*:\d+$/, image)
      assert.ok(layers.length > 0, image)
      assert.deepEqual(await findSecrets(given.engine, target, layers), [], image)
      const base = await inspectImage(given.engine, baseOf(target))
      t.diagnostic(`${image}: ${megabytes(Size)}, of which ${megabytes(Size - base.Size)} are not of ${baseOf(target)}`)
    }
    await withOwnLayers(given.engine, async layers => {
      for (const [target, image] of Object.entries(builtImages)) await check(target, image, layers.get(target) ?? [])
    })
  })

  test('the compose file runs with KRaft, audit and monitoring, and recovers', async t => {
    t.after(() => project.remove())
    for (const [service, seconds] of Object.entries(await project.up(profiles))) {
      t.diagnostic(`${service} was healthy ${seconds.toFixed(1)} s after its start`)
    }
    let shop: Shop = { orderURL: await project.addressOf('order', 8080) }
    const first = await placeOrder(shop)

    await t.test('every container is restricted as declared, in the view of its kernel', async () => {
      const running = (await project.inspectAll()).filter(({ State }) => State.Status === 'running')
      assert.ok(running.length >= 10, running.map(serviceOf).join())
      for (const container of running) {
        const name = serviceOf(container)
        const { user, capabilities, noNewPrivileges, isRootReadOnly } = await securityOf(project, name)
        assert.match(user, /^[1-9]\d*$/, `${name} is not root`)
        assert.equal(user, services[name]?.user.split(':')[0], name)
        assert.deepEqual(capabilities, new Set(['0000000000000000']), name)
        assert.equal(noNewPrivileges, true, name)
        assert.equal(isRootReadOnly, true, name)
        assert.ok(container.HostConfig.Memory > 0 && container.HostConfig.NanoCpus > 0, name)
        assert.equal(container.HostConfig.LogConfig.Config['max-size'], '10m', name)
      }
    })

    await t.test('an order is reserved, notified and in the audit table', async () => {
      assert.equal(first.status, 'reserved')
      await waitForNotification(first.orderID)
      await waitForAuditRow(first.orderID)
    })

    await t.test('Prometheus scrapes every target', async () => {
      const prometheus = prometheusAPI(await project.addressOf('prometheus', 9090))
      const down = async () => (await prometheus.targets()).filter(({ health }) => health !== 'up')
      await waitUntil(async () => (await prometheus.targets()).length >= 9 && (await down()).length === 0, {
        ...{ what: 'every target', deadlineMs: 120_000, intervalMs: 2_000 }
      }).catch(async error => {
        throw new Error(`${error.message}: ${JSON.stringify(await down())}`)
      })
    })

    await t.test('the toolbox finds no problem', async () => {
      // Right after the start a group may still lag.
      let output = ''
      const isHealthy = async () => {
        output = await project
          .compose(['run', '--rm', '--no-deps', '-T', 'toolbox', 'doctor'], '*')
          .catch(error => Promise.reject(new Error(`${error.stdout}\n${error.stderr}`)))
        return true
      }
      await waitUntil(isHealthy, { what: 'a healthy pipeline', deadlineMs: 180_000, intervalMs: 5_000 }).catch(
        error => {
          throw new Error(`${error.message}: ${error.cause}`)
        }
      )
      assert.match(output, /No problems|hint/)
    })

    await t.test('under load the order service stays below its limit of memory', async t => {
      const before = await project.inspect('order')
      const startedAt = performance.now()
      const count = await placeOrders(shop, { seconds: 20, concurrency: 32 })
      const perSecond = Math.round(count / ((performance.now() - startedAt) / 1_000))
      const last = await placeOrder(shop)
      assert.equal(last.status, 'reserved')
      const container = await project.inspect('order')
      assert.equal(container.State.OOMKilled, false)
      assert.equal(container.RestartCount, before.RestartCount)
      const flags = await project.exec('order', 'cat', '/proc/1/cmdline')
      assert.match(flags, /--max-semi-space-size=16\0--heap-growing-percent=150/)
      const { peak } = await memoryOf(project, 'order')
      assert.ok(peak < container.HostConfig.Memory, `${peak} bytes`)
      t.diagnostic(`order: at most ${megabytes(peak)} resident at ${perSecond} orders a second`)
    })

    for (const service of [
      'order',
      'inventory',
      'notification',
      'aggregator',
      'kafka',
      'postgres',
      'registry',
      'connect'
    ]) {
      await t.test(`${service} restarts after kill -9, and orders are processed`, async () => {
        await project.killAndWait(service)
        shop = { orderURL: await project.addressOf('order', 8080) }
        const order = await placeOrder(shop)
        assert.equal(order.status, 'reserved')
        await waitForNotification(order.orderID)
        await waitForAuditRow(order.orderID)
      })
    }

    const reserved = await project.query(reservedStock)
    await t.test('every container stops within its grace period', async () => {
      await project.compose(['stop'], profiles)
      for (const container of await project.inspectAll()) assertStopped(container)
    })

    await t.test('volumes keep orders, stock and audit rows when containers are removed', async () => {
      await project.down()
      await project.up(profiles)
      shop = { orderURL: await project.addressOf('order', 8080) }
      await waitForStatus(shop, first.orderID, 'reserved')
      await waitForAuditRow(first.orderID)
      assert.equal(await project.query(reservedStock), reserved)
      assert.equal((await placeOrder(shop)).status, 'reserved')
    })
  })

  test('the compose file runs with ZooKeeper and API keys, and recovers', async t => {
    const profiles = 'zookeeper,prod'
    const project = openProject(given, { ORDERLY_PROFILE: 'prod' })
    t.after(() => project.remove())
    await project.up(profiles)
    const orderURL = await project.addressOf('order', 8080)
    assert.equal((await send({ orderURL }, '/orders', { method: 'POST' })).status, 401)
    const runOnce = (...args: string[]) => project.compose(['run', '--rm', '--no-deps', '-T', ...args], '*')
    const keyOf = async (role: string) =>
      (await runOnce('--entrypoint', 'cat', 'first-keys', `/home/node/${role}.key`)).trim()
    const key = await keyOf('shop')
    // The sample stock is for the profile `dev`.
    const operator = ['--env', `ORDERLY_API_KEY=${await keyOf('operator')}`, 'toolbox']
    await runOnce(...operator, 'stock', 'set', sku, '--on-hand', '100')
    const first = await placeOrder({ orderURL, key })
    assert.equal(first.status, 'reserved')
    await waitForNotification(first.orderID)
    const another = (await runOnce('api-keys', 'create', '--name', 'berlin', '--role', 'shop')).trim()
    assert.equal((await placeOrder({ orderURL, key: another })).status, 'reserved')
    for (const service of ['kafka-with-zookeeper', 'zookeeper']) {
      await project.killAndWait(service)
      assert.equal((await placeOrder({ orderURL, key })).status, 'reserved', service)
    }
    await waitForStatus({ orderURL, key }, first.orderID, 'reserved')
    await project.compose(['stop'], profiles)
    for (const container of await project.inspectAll()) assertStopped(container)
  })

  async function waitForAuditRow(orderID: string): Promise<void> {
    const isThere = async () =>
      (await project.query(`SELECT count(*) FROM audit.orders_created WHERE order_id = '${orderID}'`)) === '1'
    await waitUntil(isThere, { what: `the audit row of ${orderID}`, deadlineMs: 180_000, intervalMs: 1_000 })
  }

  async function waitForNotification(orderID: string): Promise<void> {
    const isSent = async () => {
      const { Id } = await project.inspect('notification')
      const lines = (await project.docker('logs', Id)).split('\n')
      return lines.some(line => line.includes('"notification"') && line.includes(orderID))
    }
    await waitUntil(isSent, { what: `the notification of ${orderID}`, deadlineMs: 180_000, intervalMs: 1_000 })
  }
})

/** Checks that a container ended on its own after the signal. The engine's `kill -9` is the code 137. */
function assertStopped(container: Container): void {
  const name = serviceOf(container)
  assert.equal(container.State.Status, 'exited', name)
  assert.equal(container.State.ExitCode, 0, name)
}
