import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts, loopback, orderlyDirectory, projectDirectory } from '@orderly/launcher'
import { type LauncherProcess, processesUnder, startLauncher } from '@orderly/launcher/testing'

const portNames = [
  ...['KAFKA', 'KAFKA_CONTROLLER', 'POSTGRES', 'REGISTRY', 'ORDER', 'INVENTORY', 'NOTIFICATION', 'AGGREGATOR'],
  ...['CONNECT', 'KAFKA_METRICS', 'CONNECT_METRICS', 'MONITOR', 'PROMETHEUS', 'ALERTMANAGER']
] as const

export interface MonitoredStack {
  readonly brokers: readonly string[]
  readonly prometheusURL: string
  readonly launcher: LauncherProcess
  /** Places an order. @returns the status of the response */
  order(order: object, headers?: Record<string, string>): Promise<number>
  /** Places an order, and requests the change once the order has its outcome. */
  ask(changeRequest: 'cancel' | 'confirm', order: object): Promise<void>
  /** Places ten orders per second until the test ends. */
  keepOrdering(): void
  /**
   * Freezes the inventory; the launcher would restart it if it exited.
   * @returns a function that resumes it
   */
  freezeInventory(): Promise<() => void>
}

/** Starts `npm start -- --with connect,monitoring` with separate ports and data. */
export async function startMonitoredStack(t: TestContext, env: NodeJS.ProcessEnv): Promise<MonitoredStack> {
  const name = `e2e-${randomBytes(4).toString('hex')}`
  const ports = await freePorts(portNames)
  const portSettings = Object.fromEntries(portNames.map(port => [`ORDERLY_${port}_PORT`, String(ports[port])]))
  const launcher = startLauncher(t, 'start', ['--run', name, '--with', 'connect,monitoring'], {
    ...portSettings,
    ...env
  })
  t.after(() => rm(join(orderlyDirectory, name), { recursive: true, force: true }))
  await launcher.waitFor('Ctrl-C stops everything', 240_000)

  const post = (path: string, headers: Record<string, string>, body?: object) =>
    fetch(`http://${loopback}:${ports.ORDER}${path}`, {
      method: 'POST',
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })

  async function order(body: object, headers: Record<string, string> = {}): Promise<number> {
    const response = await post('/orders', headers, body)
    await response.arrayBuffer()
    return response.status
  }

  return {
    brokers: [`${loopback}:${ports.KAFKA}`],
    prometheusURL: `http://${loopback}:${ports.PROMETHEUS}`,
    launcher,
    order,
    async ask(changeRequest, body) {
      const placed = await post('/orders', { prefer: 'wait=30' }, body)
      const { orderID } = (await placed.json()) as { orderID: string }
      const answer = await post(`/orders/${orderID}/${changeRequest}`, { prefer: 'wait=30' })
      await answer.arrayBuffer()
      if (!answer.ok) throw new Error(`${changeRequest} of order ${orderID} was answered ${answer.status}`)
    },
    keepOrdering() {
      const stopping = new AbortController()
      const ordering = (async () => {
        for (let count = 0; !stopping.signal.aborted; count++) {
          await order({ userID: `user-${count % 20}`, items: [tea], total: 13.8 }).catch(() => {})
          await delay(100, undefined, { signal: stopping.signal }).catch(() => {})
        }
      })()
      t.after(() => {
        stopping.abort()
        return ordering
      })
    },
    async freezeInventory() {
      const processes = await processesUnder(projectDirectory)
      const inventory = processes.find(
        ({ command, parentPID }) => parentPID === launcher.child.pid && command.includes('services/inventory/main.ts')
      )
      if (inventory === undefined) throw new Error('the inventory is not among the processes of the launcher')
      process.kill(inventory.pid, 'SIGSTOP')
      return () => process.kill(inventory.pid, 'SIGCONT')
    }
  }
}

const tea = { sku: 'TEA-EARL-GREY-100G', quantity: 1 }
