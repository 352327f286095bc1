import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { parseNumber, plural, UsageError } from '@orderly/command-line'
import { type Command, type CommandContext, Failure, orderly } from '../command-line/command.ts'
import { byOption, operatorName, reasonOption } from '../command-line/operator.ts'
import { type InventoryAPI, inventoryAPI, NoAnswer, type StockLevel } from './inventory-api.ts'

/** Maximum that the inventory accepts. */
const mostPieces = 1_000_000_000_000

interface Movement {
  readonly at: string
  readonly kind: string
  readonly delta: number
  readonly available: number
  readonly reserved: number
  readonly by: string
  readonly reason: string | null
}

export const showStock: Command = {
  name: 'stock show',
  summary: 'show the stock and the movements of a SKU, or the stock of all SKUs',
  argument: '[SKU]',
  examples: ['stock show', 'stock show TEA-EARL-GREY-100G'],
  options: {},
  async run(context) {
    const { argument, output } = context
    const api = open(context)
    if (argument === undefined) {
      const levels = await readAll(api)
      output.json(levels)
      if (levels.length === 0) output.line(`There is no stock yet: ${orderly} stock import FILE adds some.`)
      else output.table(levelColumns, levels)
      return 0
    }
    const path = `/stock/${encodeURIComponent(argument)}`
    const level = await api.ask<StockLevel>('GET', path)
    const { items } = await api.ask<{ items: Movement[] }>('GET', `${path}/movements?limit=20`)
    output.json({ ...level, movements: items })
    output.table(levelColumns, [level])
    output.line()
    output.table(
      [
        { title: 'AT', value: ({ at }) => at },
        { title: 'WHAT', value: ({ kind }) => kind },
        { title: 'PIECES', value: ({ delta }) => (delta > 0 ? `+${delta}` : delta), isNumber: true },
        { title: 'AVAILABLE', value: ({ available }) => available, isNumber: true },
        { title: 'BY', value: ({ by }) => by },
        { title: 'WHY', value: ({ reason }) => reason ?? undefined }
      ],
      items
    )
    return 0
  }
}

export const setStock: Command = {
  name: 'stock set',
  summary: 'set the stock of a SKU: stock set SKU --on-hand 500 after a count of the shelf, or --available 500',
  argument: 'SKU',
  examples: ['stock set TEA-EARL-GREY-100G --on-hand 500 --reason "count of the shelf"'],
  options: {
    'on-hand': {
      type: 'string',
      placeholder: 'PIECES',
      description: 'pieces on the shelf, including those of reserved orders'
    },
    available: { type: 'string', placeholder: 'PIECES', description: 'pieces that can be reserved' },
    by: byOption,
    reason: reasonOption
  },
  async run(context) {
    const { options } = context
    if ((options.text('on-hand') === undefined) === (options.text('available') === undefined))
      throw new UsageError('Give one of --on-hand 500 (a count of the shelf) and --available 500.')
    const count =
      options.text('available') === undefined
        ? { onHand: pieces(context, 'on-hand') }
        : { available: pieces(context, 'available') }
    const level = await open(context).ask<StockLevel>('PUT', `/stock/${encodeURIComponent(skuOf(context))}`, {
      json: { ...count, ...reasonOf(context) }
    })
    return sayLevel(context, level)
  }
}

export const adjustStock: Command = {
  name: 'stock adjust',
  summary: 'add or remove pieces of a SKU: stock adjust SKU --add 20, or --remove 3',
  argument: 'SKU',
  examples: ['stock adjust TEA-EARL-GREY-100G --add 20', 'stock adjust TEA-EARL-GREY-100G --remove 3 --reason broken'],
  options: {
    add: { type: 'string', placeholder: 'PIECES', description: 'pieces to add' },
    remove: { type: 'string', placeholder: 'PIECES', description: 'pieces to remove' },
    key: {
      type: 'string',
      placeholder: 'KEY',
      description: 'idempotency key of this adjustment: retries with the same key take effect once (default: a new key)'
    },
    by: byOption,
    reason: reasonOption
  },
  async run(context) {
    const { options, output } = context
    if ((options.text('add') === undefined) === (options.text('remove') === undefined))
      throw new UsageError('Give the number of pieces: --add 20 or --remove 3.')
    const delta = options.text('add') === undefined ? -pieces(context, 'remove') : pieces(context, 'add')
    const key = options.text('key') ?? randomUUID()
    const path = `/stock/${encodeURIComponent(skuOf(context))}/adjustments`
    const asked = { json: { delta, ...reasonOf(context) }, headers: { 'idempotency-key': key } }
    try {
      return sayLevel(context, await open(context).ask<StockLevel>('POST', path, asked))
    } catch (error) {
      if (error instanceof NoAnswer)
        output.progress(`The result is unknown. Try again with --key ${key}: the adjustment takes effect once.`)
      throw error
    }
  }
}

export const importStock: Command = {
  name: 'stock import',
  summary:
    'set the stock of all SKUs in a CSV file (sku,onHand or sku,available), or of none if a line is invalid; - reads standard input',
  argument: 'FILE',
  examples: ['stock import launcher/samples/stock.csv'],
  options: { by: byOption, reason: reasonOption },
  async run(context) {
    const { argument = '-', output } = context
    const csv = await readText(argument)
    const { reason } = reasonOf(context)
    const query = reason === undefined ? '' : `?reason=${encodeURIComponent(reason)}`
    const { count } = await open(context)
      .ask<{ count: number }>('PUT', `/stock${query}`, { csv })
      .catch(error => {
        if (error instanceof Failure) throw new Failure(error.message.replace('csv:', `${argument}:`))
        throw error
      })
    output.json({ count })
    output.line(`${plural(count, 'SKU')} set.`)
    return 0
  }
}

export const exportStock: Command = {
  name: 'stock export',
  summary: 'write all SKUs as CSV for stock import, to standard output or to a file',
  argument: '[FILE]',
  examples: ['stock export stock.csv'],
  options: {
    'on-hand': { type: 'boolean', description: 'pieces on the shelf instead of available pieces' }
  },
  async run(context) {
    const { argument, options, output } = context
    const column = options.flag('on-hand') ? 'onHand' : 'available'
    const csv = await open(context).ask<string>('GET', `/stock?column=${column}`, { wantsCSV: true })
    if (argument === undefined || argument === '-') {
      if (output.isJson) output.json({ csv })
      else output.file(csv)
      return 0
    }
    await writeFile(argument, csv).catch(error => {
      throw new Failure(`${argument} cannot be written: ${error.message}.`)
    })
    output.json({ file: argument })
    output.line(`Written to ${argument}.`)
    return 0
  }
}

const levelColumns = [
  { title: 'SKU', value: ({ sku }: StockLevel) => sku },
  { title: 'AVAILABLE', value: ({ available }: StockLevel) => available, isNumber: true },
  { title: 'RESERVED', value: ({ reserved }: StockLevel) => reserved, isNumber: true },
  { title: 'ON HAND', value: ({ onHand }: StockLevel) => onHand, isNumber: true }
] as const

function open({ connections, options }: CommandContext): InventoryAPI {
  return inventoryAPI(connections, operatorName(options.text('by')))
}

async function readAll(api: InventoryAPI): Promise<StockLevel[]> {
  const levels: StockLevel[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: { items: StockLevel[]; nextAfter?: string } = await api.ask(
      'GET',
      `/stock?after=${encodeURIComponent(after)}`
    )
    levels.push(...page.items)
    after = page.nextAfter
  }
  return levels
}

function sayLevel({ output }: CommandContext, level: StockLevel): number {
  output.json(level)
  output.table(levelColumns, [level])
  return 0
}

function skuOf({ argument }: CommandContext): string {
  return argument ?? ''
}

function reasonOf({ options }: CommandContext): { reason?: string } {
  const reason = options.text('reason')?.trim()
  return reason === undefined || reason === '' ? {} : { reason }
}

function pieces({ options }: CommandContext, option: string): number {
  const text = options.text(option)
  if (text === undefined) throw new UsageError(`--${option} is missing: give a whole number of pieces.`)
  return parseNumber(text, option, { minimum: 0, maximum: mostPieces, otherwise: 0 })
}

async function readText(path: string): Promise<string> {
  if (path === '-') {
    const parts: Buffer[] = []
    for await (const part of process.stdin) parts.push(part)
    return Buffer.concat(parts).toString()
  }
  return readFile(path, 'utf8').catch(error => {
    throw new Failure(`${path} cannot be read: ${error.message}.`)
  })
}
