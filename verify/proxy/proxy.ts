import { createConnection, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * How a link behaves:
 *
 * - **open**: everything passes at once
 * - **slow**: every chunk is late, and the later the longer ones before it took; nothing is lost
 * - **stalled**: connections stay, nothing passes
 * - **cut**: connections break and new ones are refused
 * - **mute**: what is sent arrives, the answers do not; when that ends, connections with lost answers break
 */
export type LinkState = 'open' | 'slow' | 'stalled' | 'cut' | 'mute'

export interface Link {
  readonly port: number
  /** @param delayMs for `slow` */
  set(state: LinkState, delayMs?: number): void
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  lostAnswers: boolean
}

const loopback = '127.0.0.1'

/** Stands between clients and a server on this machine. */
export async function startProxy(options: { readonly port?: number; readonly targetPort: number }): Promise<Link> {
  const pairs = new Set<Pair>()
  let state: LinkState = 'open'
  let delayMs = 0
  let changed = Promise.withResolvers<void>()

  const listener = createServer({ noDelay: true }, client => {
    if (state === 'cut') {
      client.resetAndDestroy()
      return
    }
    const server = createConnection({ host: loopback, port: options.targetPort, noDelay: true })
    const pair: Pair = { client, server, lostAnswers: false }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      socket.on('error', end)
      socket.on('close', end)
    }
    void pass(client, server, pair, false)
    void pass(server, client, pair, true)
  })

  /** Chunk after chunk, so that whatever holds one up holds up all behind it, as a wire does. */
  async function pass(from: Socket, to: Socket, pair: Pair, isAnswer: boolean): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        while (state === 'stalled') await changed.promise
        if (state === 'slow') await delay(delayMs)
        if (state === 'mute' && isAnswer) {
          pair.lostAnswers = true
          continue
        }
        if (pair.lostAnswers && isAnswer) break
        if (!to.write(chunk)) await new Promise(resolve => to.once('drain', resolve).once('close', resolve))
      }
    } catch {
      // Broken connections are what this is for.
    }
    to.end()
  }

  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject)
    listener.listen({ host: loopback, port: options.port ?? 0 }, resolve)
  })
  const address = listener.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    set(next, nextDelayMs = 0) {
      state = next
      delayMs = nextDelayMs
      for (const pair of pairs) {
        if (next === 'cut' || (next === 'open' && pair.lostAnswers)) pair.client.resetAndDestroy()
      }
      changed.resolve()
      changed = Promise.withResolvers()
    },
    async close() {
      state = 'cut'
      changed.resolve()
      for (const { client, server } of pairs) {
        client.destroy()
        server.destroy()
      }
      await new Promise(resolve => listener.close(resolve))
    }
  }
}
