import { createServer } from 'node:net'

export const loopback = '127.0.0.1'

export function isPortFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: loopback, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/**
 * Returns a free port. It is chosen at random below the range of ephemeral ports, so that no
 * outgoing connection can take it before the server does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    if (await isPortFree(port)) return port
  }
}

export async function freePorts<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  const ports = new Map<Name, number>()
  while (ports.size < names.length) {
    const port = await freePort()
    if (![...ports.values()].includes(port)) ports.set(names[ports.size] as Name, port)
  }
  return Object.fromEntries(ports) as Record<Name, number>
}
