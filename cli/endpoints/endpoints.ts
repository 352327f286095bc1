import { randomBytes } from 'node:crypto'
import { formatTime, type OptionSpec, plural, UsageError } from '@orderly/command-line'
import { inTransaction } from '@orderly/postgres'
import type { PoolClient } from 'pg'
import { type Command, type CommandContext, Failure, orderly } from '../command-line/command.ts'

/**
 * Valid name of a webhook endpoint.
 *
 * The notification service reads the endpoints in its database every few seconds. An endpoint
 * belongs to a caller and receives its notifications, or to the operator and receives those of all
 * callers. URLs and secrets are never shown again: a URL often contains a token.
 */
const nameShape = /^[a-z0-9][a-z0-9-]{0,31}$/

const caller: OptionSpec = {
  type: 'string',
  placeholder: 'CALLER',
  description:
    "caller whose notifications it receives; without it, the endpoint is the operator's and receives those of all callers"
}

export const listEndpoints: Command = {
  name: 'endpoints list',
  summary: 'list the webhook endpoints in the database and their state',
  examples: ['endpoints list'],
  options: {},
  async run({ output, connections }) {
    const { rows } = await connections.database().query(`
      SELECT endpoints.target, name, caller, created_at, reason, paused_until,
        endpoints.disabled_at AS disabled_by_operator_at, targets.disabled_at AS disabled_by_target_at,
        (SELECT count(*) FROM notification.endpoint_secrets WHERE endpoint_secrets.target = endpoints.target) AS secrets,
        (SELECT count(*) FROM notification.deliveries
          WHERE deliveries.target = endpoints.target AND finished_at IS NULL) AS waiting
      FROM notification.endpoints LEFT JOIN notification.targets ON targets.target = endpoints.target
      ORDER BY caller NULLS FIRST, name`)
    const endpoints = rows.map(row => ({
      name: String(row.name),
      caller: row.caller as string | null,
      state: stateOf(row),
      secrets: Number(row.secrets),
      waiting: Number(row.waiting),
      createdAt: formatTime(row.created_at.getTime())
    }))
    output.json(endpoints)
    if (endpoints.length === 0) {
      output.line(`There are no endpoints in the database. ${orderly} endpoints add --help describes how to add one.`)
      return 0
    }
    output.table(
      [
        { title: 'NAME', value: ({ name }) => name },
        { title: 'CALLER', value: ({ caller }) => caller ?? 'all' },
        { title: 'STATE', value: ({ state }) => state },
        { title: 'SECRETS', value: ({ secrets }) => secrets, isNumber: true },
        { title: 'WAITING', value: ({ waiting }) => waiting, isNumber: true },
        { title: 'CREATED', value: ({ createdAt }) => createdAt }
      ],
      endpoints
    )
    return 0
  }
}

export const addEndpoint: Command = {
  name: 'endpoints add',
  summary: 'add a webhook endpoint of a caller, or of the operator for all callers; prints its secret once',
  argument: 'NAME',
  examples: [
    'endpoints add erp --url https://erp.example/hooks',
    'endpoints add shop --caller berlin --url https://shop.example/hooks'
  ],
  options: {
    caller,
    url: { type: 'string', placeholder: 'URL', description: 'destination of the webhooks: https://shop.example/hooks' }
  },
  async run({ argument: name = '', options, output, connections }) {
    const owner = options.text('caller')
    const url = parseURL(options.text('url'))
    if (!nameShape.test(name))
      throw new UsageError(`The name is "${name}": give 1 to 32 lower-case letters, digits and hyphens.`)
    const secret = newSecret()
    await inTransaction(connections.database(), async client => {
      if (owner !== undefined) await assertCaller(client, owner)
      const { rows } = await client.query(
        `INSERT INTO notification.endpoints (name, caller, url) VALUES ($1, $2, $3)
          ON CONFLICT DO NOTHING RETURNING target`,
        [name, owner, url]
      )
      if (rows[0] === undefined)
        throw new Failure(`Endpoint ${describe(name, owner)} exists already: ${orderly} endpoints set changes it.`)
      await addSecret(client, rows[0].target, secret)
    })
    output.json({ name, caller: owner ?? null, secret })
    output.line(secret)
    output.progress(`Endpoint ${describe(name, owner)} added. Its secret is not shown again.`)
    return 0
  }
}

export const changeEndpoint: Command = {
  name: 'endpoints set',
  summary: 'change an endpoint: its URL, whether it is disabled, or its secrets',
  argument: 'NAME',
  examples: ['endpoints set erp --url https://erp.example/new', 'endpoints set shop --caller berlin --disabled yes'],
  options: {
    caller,
    url: { type: 'string', placeholder: 'URL', description: 'new destination of the webhooks' },
    disabled: {
      type: 'string',
      placeholder: 'yes|no',
      description: 'yes: it receives nothing, and pending deliveries are skipped'
    },
    'add-secret': { type: 'boolean', description: 'print an additional secret; webhooks are signed with all secrets' },
    'drop-secrets': {
      type: 'boolean',
      description: 'remove all secrets but the newest, after the receiver has stored it'
    }
  },
  async run({ argument: name = '', options, output, connections }) {
    const owner = options.text('caller')
    const url = options.text('url') === undefined ? undefined : parseURL(options.text('url'))
    const disabled = parseYesNo(options.text('disabled'))
    const [addsSecret, dropsSecrets] = [options.flag('add-secret'), options.flag('drop-secrets')]
    if (url === undefined && disabled === undefined && !addsSecret && !dropsSecrets)
      throw new UsageError('Give a change: --url, --disabled, --add-secret or --drop-secrets.')
    if (addsSecret && dropsSecrets)
      throw new UsageError(
        '--add-secret and --drop-secrets are two steps: the receiver must know the new secret first.'
      )
    const secret = addsSecret ? newSecret() : undefined
    await inTransaction(connections.database(), async client => {
      const target = await lockEndpoint(client, name, owner)
      if (url !== undefined)
        await client.query('UPDATE notification.endpoints SET url = $2 WHERE target = $1', [target, url])
      if (disabled !== undefined)
        await client.query(
          'UPDATE notification.endpoints SET disabled_at = CASE WHEN $2 THEN now() END WHERE target = $1',
          [target, disabled]
        )
      if (secret !== undefined) await addSecret(client, target, secret)
      if (dropsSecrets)
        await client.query(
          `DELETE FROM notification.endpoint_secrets WHERE target = $1
            AND id < (SELECT max(id) FROM notification.endpoint_secrets WHERE target = $1)`,
          [target]
        )
    })
    output.json({ name, caller: owner ?? null, ...(secret !== undefined && { secret }) })
    if (secret !== undefined) output.line(secret)
    output.progress(`Endpoint ${describe(name, owner)} changed.`)
    return 0
  }
}

export const removeEndpoint: Command = {
  name: 'endpoints remove',
  summary: 'remove an endpoint; its pending deliveries are skipped',
  argument: 'NAME',
  examples: ['endpoints remove shop --caller berlin'],
  options: { caller },
  run: removeIt
}

async function removeIt({ argument: name = '', options, output, connections }: CommandContext): Promise<number> {
  const owner = options.text('caller')
  const skipped = await inTransaction(connections.database(), async client => {
    const target = await lockEndpoint(client, name, owner)
    await client.query('DELETE FROM notification.endpoints WHERE target = $1', [target])
    const skippedDeliveries = await skipWaiting(client, target)
    // Its state, such as an answer with 410, must not outlive it.
    await client.query('DELETE FROM notification.targets WHERE target = $1', [target])
    return skippedDeliveries
  })
  output.json({ name, caller: owner ?? null, skipped })
  output.line(`Endpoint ${describe(name, owner)} removed; ${plural(skipped, 'delivery', 'deliveries')} skipped.`)
  return 0
}

/**
 * Skips the pending deliveries of a target. As everywhere in the delivery table, delivery lanes are
 * locked first, in their order, and a later statement changes their deliveries.
 */
async function skipWaiting(client: PoolClient, target: string): Promise<number> {
  const lanes = 'SELECT FROM notification.lanes WHERE target = $1 ORDER BY target, caller, user_id FOR UPDATE'
  await client.query(lanes, [target])
  const { rowCount } = await client.query(
    `UPDATE notification.deliveries
      SET status = 'skipped', code = 'TARGET_REMOVED', reason = 'the endpoint was removed', finished_at = statement_timestamp()
      WHERE target = $1 AND finished_at IS NULL`,
    [target]
  )
  await client.query('DELETE FROM notification.lanes WHERE target = $1', [target])
  return rowCount ?? 0
}

async function lockEndpoint(client: PoolClient, name: string, owner: string | undefined): Promise<string> {
  const { rows } = await client.query(
    'SELECT target FROM notification.endpoints WHERE name = $1 AND caller IS NOT DISTINCT FROM $2 FOR UPDATE',
    [name, owner]
  )
  if (rows[0] !== undefined) return rows[0].target
  throw new Failure(`Endpoint ${describe(name, owner)} does not exist: ${orderly} endpoints list shows all.`)
}

async function assertCaller(client: PoolClient, name: string): Promise<void> {
  const { rows } = await client.query(`SELECT to_regclass('callers.callers') IS NOT NULL AS "hasCallers"`)
  const known = rows[0]?.hasCallers
    ? await client.query('SELECT FROM callers.callers WHERE name = $1', [name])
    : undefined
  if (known?.rowCount === 1) return
  throw new Failure(`Caller ${name} does not exist: npm run api-keys -- list shows all.`)
}

function addSecret(client: PoolClient, target: string, secret: string) {
  return client.query('INSERT INTO notification.endpoint_secrets (target, secret) VALUES ($1, $2)', [target, secret])
}

/**
 * Returns a new secret as defined by Standard Webhooks: `whsec_` and 24 to 64 random bytes in
 * base64.
 */
function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/**
 * Parses the URL of an endpoint. The notification service also refuses addresses that are not
 * public and, in prod, http.
 */
function parseURL(text: string | undefined): string {
  if (text === undefined) throw new UsageError('Give the URL of the endpoint: --url https://shop.example/hooks')
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError('--url is not an http or https address: give one like https://shop.example/hooks')
  if (url.username !== '' || url.password !== '')
    throw new UsageError('--url contains a user or a password: put a token into the path, or rely on the signature.')
  return url.href
}

function parseYesNo(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (text !== 'yes' && text !== 'no') throw new UsageError(`--disabled is "${text}": give yes or no.`)
  return text === 'yes'
}

function describe(name: string, owner: string | undefined): string {
  return owner === undefined ? `${name} for all callers` : `${name} of ${owner}`
}

function stateOf(row: Record<string, unknown>): string {
  if (row.disabled_by_operator_at !== null) return 'disabled'
  if (row.disabled_by_target_at !== null) return `answered 410: ${row.reason}`
  if (row.paused_until instanceof Date && row.paused_until.getTime() > Date.now())
    return `paused until ${formatTime(row.paused_until.getTime())}`
  return 'enabled'
}
