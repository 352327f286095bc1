import { type OptionSpec, UsageError } from '@orderly/command-line'

/** Optional components that run alongside the pipeline: `npm start -- --with connect,monitoring`. */
export const extraNames = ['connect', 'monitoring'] as const
export type ExtraName = (typeof extraNames)[number]
export type Extras = ReadonlySet<ExtraName>

/** Names of the ports of each extra. */
export const portsOfExtras = {
  connect: ['connect'],
  monitoring: ['kafkaMetrics', 'connectMetrics', 'monitor', 'prometheus', 'alertmanager']
} as const satisfies Record<ExtraName, readonly string[]>
export type ExtraPort = (typeof portsOfExtras)[ExtraName][number]
export const extraPorts: readonly ExtraPort[] = Object.values(portsOfExtras).flat()

export const withOption: OptionSpec = {
  type: 'string',
  placeholder: 'NAMES',
  description: `also runs these, separated by commas: ${extraNames.join(', ')}`
}

/**
 * Parses a comma-separated list of extras.
 * @throws UsageError that lists the known extras, if a name is unknown
 */
export function readExtras(text = ''): Extras {
  const names = text
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
  for (const name of names) {
    if (!extraNames.includes(name as ExtraName)) {
      throw new UsageError(
        `--with names the unknown extra "${name}": use one or more of ${extraNames.join(', ')}, separated by commas.`
      )
    }
  }
  return new Set(names as ExtraName[])
}
