import { markdownTable } from '@orderly/command-line'
import type { TObject } from 'typebox'
import { configSchema as aggregator } from '../../services/aggregator/config.ts'
import { configSchema as inventory } from '../../services/inventory/config.ts'
import { configSchema as monitor } from '../../services/monitor/config.ts'
import { configSchema as notification } from '../../services/notification/config.ts'
import { configSchema as order } from '../../services/order/config.ts'

interface Setting {
  readonly description?: string
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly items?: { readonly enum?: readonly unknown[] }
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: unknown
  readonly devDefault?: unknown
  readonly secret?: boolean
  readonly file?: boolean
}

const schemas: Readonly<Record<string, TObject>> = { order, inventory, notification, aggregator, monitor }
const services = Object.keys(schemas)

/**
 * Tables of settings by the name of their section: those of several services in `shared`, others by
 * their service.
 */
export function settingTables(): Map<string, string> {
  const users = new Map<string, string[]>()
  for (const service of services)
    for (const name of Object.keys(settingsOf(service))) users.set(name, [...(users.get(name) ?? []), service])
  const shared = [...users].filter(([, names]) => names.length > 1)
  const tables = new Map([['shared', table(shared.map(([name, names]) => [name, names] as const))]])
  for (const service of services) {
    const own = [...users].filter(([, names]) => names.length === 1 && names[0] === service)
    if (own.length > 0) tables.set(service, table(own.map(([name]) => [name, [service]] as const)))
  }
  return tables
}

function settingsOf(service: string): Readonly<Record<string, Setting>> {
  return (schemas[service] as TObject).properties as Readonly<Record<string, Setting>>
}

function table(rows: readonly (readonly [name: string, users: readonly string[]])[]): string {
  const isShared = rows.some(([, users]) => users.length > 1)
  return markdownTable(
    ['setting', 'values', 'default', 'meaning', ...(isShared ? ['services'] : [])],
    rows.map(([name, users]) => {
      const [first] = users
      const setting = settingsOf(first as string)[name] as Setting
      const defaults = new Set(users.map(user => defaultOf(settingsOf(user)[name] as Setting, isRequired(user, name))))
      const each = users.map(user => `${user} ${defaultOf(settingsOf(user)[name] as Setting, isRequired(user, name))}`)
      return [
        `\`${name}\``,
        valuesOf(setting),
        defaults.size === 1 ? ([...defaults][0] as string) : each.join(', '),
        setting.description ?? '',
        ...(isShared ? [users.length === services.length ? 'all' : users.join(', ')] : [])
      ]
    })
  )
}

function isRequired(service: string, name: string): boolean {
  const { required = [] } = schemas[service] as { readonly required?: readonly string[] }
  return required.includes(name)
}

function valuesOf({ type, enum: values, items, minimum, maximum, file, secret }: Setting): string {
  if (values !== undefined) return values.map(value => `\`${value}\``).join(', ')
  if (items?.enum !== undefined) return `list of ${items.enum.map(value => `\`${value}\``).join(', ')}`
  if (type === 'integer' && minimum !== undefined && maximum !== undefined)
    return `${minimum.toLocaleString('en')} to ${maximum.toLocaleString('en')}`
  if (type === 'boolean') return '`true`, `false`'
  if (type === 'array') return 'list'
  if (file === true) return 'path of a file'
  return secret === true ? 'secret' : 'text'
}

function defaultOf({ default: always, devDefault, secret }: Setting, required: boolean): string {
  const text = (value: unknown) => (Array.isArray(value) && value.length === 0 ? 'none' : `\`${value}\``)
  // In the profile `dev`, the default of a required secret is the address of the local stack with a
  // generated password.
  if (secret === true && required) return 'in `dev` that of `npm start`; required in `prod`'
  if (always !== undefined && devDefault !== undefined) return `${text(always)}, in \`dev\` ${text(devDefault)}`
  if (always !== undefined) return text(always)
  if (devDefault !== undefined) return `in \`dev\` ${text(devDefault)}${required ? '; required in `prod`' : ''}`
  return required ? 'required' : 'none'
}
