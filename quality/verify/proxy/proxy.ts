import { createConnection, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * State of a link:
 *
 * - **open**: everything passes immediately
 * - **slow**: every chunk is delayed, and also delays the chunks behind it; nothing is lost
 * - **stalled**: connections stay open, nothing passes
 * - **cut**: connections break and new ones are refused
 * - **mute**: requests arrive, answers do not; connections with lost answers break when it ends
 */
export type LinkState = 'open' | 'slow' | 'stalled' | 'cut' | 'mute'

export interface Link {
  readonly port: number
  /** @param delayMs delay of each chunk in the state `slow` */
  set(state: LinkState, delayMs?: number): void
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  lostAnswers: boolean
}

const loopback = '127.0.0.1'

/** Starts a TCP proxy between clients and a server on this machine. */
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

  /** Forwards chunks one at a time, so that a delayed chunk also delays those behind it. */
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
      // Connections break here on purpose.
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
