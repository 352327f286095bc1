import type { Static, TObject } from 'typebox'
import type { registrySettings } from './settings.ts'

export type RegistryConfig = Readonly<Static<TObject<typeof registrySettings>>>

export interface RegistryAddress {
  readonly url: string
  readonly username?: string
  readonly password?: string
}

/** Builds the address of the schema registry from `registrySettings`. */
export function registryAddress(config: RegistryConfig): RegistryAddress {
  const { SCHEMA_REGISTRY_URL: url, SCHEMA_REGISTRY_USERNAME: username, SCHEMA_REGISTRY_PASSWORD: password } = config
  return username === undefined || password === undefined ? { url } : { url, username, password }
}
