import { runStatement } from '@orderly/postgres'
import type { Pool } from 'pg'

/** A webhook endpoint as stored, not validated. Its URL and secrets must not be logged. */
export interface StoredEndpoint {
  readonly target: string
  readonly name: string
  /**
   * Caller whose notifications it receives; undefined for an endpoint of the operator, which
   * receives those of all callers.
   */
  readonly caller?: string
  readonly url: string
  readonly secrets: readonly string[]
  readonly isDisabled: boolean
}

interface EndpointRow {
  readonly target: string
  readonly name: string
  readonly caller: string | null
  readonly url: string
  readonly secrets: readonly string[]
  readonly is_disabled: boolean
}

export async function readEndpoints(pool: Pool): Promise<StoredEndpoint[]> {
  const { rows } = await runStatement<EndpointRow>(pool, {
    name: 'read-endpoints',
    text: `SELECT target, name, caller, url, disabled_at IS NOT NULL AS is_disabled, ARRAY(
          SELECT secret FROM notification.endpoint_secrets
          WHERE endpoint_secrets.target = endpoints.target AND secret IS NOT NULL ORDER BY id DESC
        ) AS secrets
      FROM notification.endpoints ORDER BY target`,
    values: []
  })
  return rows.map(({ caller, is_disabled: isDisabled, ...row }) => {
    return { ...row, ...(caller !== null && { caller }), isDisabled }
  })
}
