import { Refusal } from './refusal.ts'

/** What runs beside the pipeline when asked for: `npm start -- --with connect,monitoring`. */
export const extraNames = ['connect', 'monitoring'] as const
export type ExtraName = (typeof extraNames)[number]
export type Extras = ReadonlySet<ExtraName>

/** Where each of them listens. */
export const portsOfExtras = {
  connect: ['connect'],
  monitoring: ['kafkaMetrics', 'connectMetrics', 'monitor', 'prometheus', 'alertmanager']
} as const satisfies Record<ExtraName, readonly string[]>
export type ExtraPort = (typeof portsOfExtras)[ExtraName][number]
export const extraPorts: readonly ExtraPort[] = Object.values(portsOfExtras).flat()

/** @throws Refusal naming what there is, unless it is a list of extras */
export function readExtras(text = ''): Extras {
  const names = text
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
  for (const name of names) {
    if (!extraNames.includes(name as ExtraName)) {
      throw new Refusal(`--with names "${name}": there is ${extraNames.join(', ')}; several are separated by commas.`)
    }
  }
  return new Set(names as ExtraName[])
}
