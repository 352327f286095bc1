import { Failure, orderly } from '../command-line/command.ts'
import type { Connections } from '../connections/connections.ts'

export interface StockLevel {
  readonly sku: string
  readonly available: number
  readonly reserved: number
  readonly onHand: number
}

export interface InventoryAPI {
  /**
   * Sends a request.
   * @throws Failure with the error response of the service
   * @throws NoAnswer if it is unknown whether the request took effect
   */
  ask<Answer>(method: 'GET' | 'PUT' | 'POST', path: string, options?: AskOptions): Promise<Answer>
}

export interface AskOptions {
  readonly json?: object
  readonly csv?: string
  /** True to return the response as text instead of JSON. */
  readonly wantsCSV?: true
  readonly headers?: Readonly<Record<string, string>>
}

/** The service did not answer, so it is unknown whether the request took effect. */
export class NoAnswer extends Failure {}

const patienceMs = 60_000

interface Problem {
  readonly code?: string
  readonly detail?: string
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

/**
 * Creates a client of the inventory API. Only the inventory service changes stock, so that each
 * change is validated, idempotent and recorded.
 */
export function inventoryAPI(connections: Connections, by: string): InventoryAPI {
  const { url, apiKey } = connections.inventory()
  return {
    async ask<Answer>(method: 'GET' | 'PUT' | 'POST', path: string, options: AskOptions = {}): Promise<Answer> {
      const { json, csv, wantsCSV } = options
      const body = json === undefined ? csv : JSON.stringify(json)
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: {
          // A header value must be ASCII; a name may not be.
          'x-operator': by.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100),
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...(csv !== undefined && { 'content-type': 'text/csv' }),
          ...(wantsCSV && { accept: 'text/csv' }),
          ...options.headers
        },
        ...(body !== undefined && { body }),
        signal: AbortSignal.timeout(patienceMs)
      }).catch(error => {
        const cause = error.cause instanceof Error ? error.cause.message || error.cause.code : error.message
        throw new NoAnswer(
          `The inventory service does not answer at ${url} (${cause}). Check that it runs and that INVENTORY_URL is correct.`
        )
      })
      if (answer.ok) return (wantsCSV ? await answer.text() : await answer.json()) as Answer
      if (answer.status === 401) {
        throw new Failure('Refused: the inventory requires an API key. Set ORDERLY_API_KEY to the key of an operator.')
      }
      const problem = (await answer.json().catch(() => ({}))) as Problem
      if (problem.code === 'SKU_NOT_FOUND') {
        throw new Failure(`This SKU does not exist: ${orderly} stock set SKU --on-hand N adds it.`)
      }
      const fields = (problem.errors ?? []).map(({ pointer, detail }) => `${pointer.replace('#/', '')} ${detail}`)
      throw new Failure(
        fields.length > 0
          ? `Refused: ${fields.join('; ')}.`
          : `Refused: ${problem.detail ?? `the answer was ${answer.status}.`}`
      )
    }
  }
}
