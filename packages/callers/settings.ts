import { isLoopback } from '@orderly/service-kit'
import { Type } from 'typebox'

interface Others {
  readonly HTTP_HOST: string
  readonly API_KEYS_OFF_ON_NETWORK: boolean
}

/** Settings of services with an API for callers. */
export const callerSettings = {
  API_KEYS: Type.Enum(['required', 'off'], {
    description: 'whether callers need an API key',
    default: 'required',
    devDefault: 'off',
    check: (keys: 'required' | 'off', { HTTP_HOST: host, API_KEYS_OFF_ON_NETWORK: isAccepted }: Others) =>
      keys === 'off' && !isLoopback(host) && !isAccepted
        ? `API_KEYS is off and HTTP_HOST is "${host}", which gives everyone on the network full access: set API_KEYS to required, ` +
          'HTTP_HOST to 127.0.0.1, or, if only trusted programs can reach the port, API_KEYS_OFF_ON_NETWORK to true'
        : undefined
  }),
  API_KEYS_OFF_ON_NETWORK: Type.Boolean({
    description: 'whether API_KEYS may be off on an address that other machines can reach',
    default: false
  }),
  HTTP_ALLOWED_HOSTS: Type.Array(Type.String({ pattern: '^[A-Za-z0-9._-]{1,253}$|^\\[[0-9A-Fa-f:.]+\\]$' }), {
    description:
      'the host names, without ports, that are accepted in addition to loopback names while API_KEYS is off, separated by commas',
    default: []
  }),
  API_KEYS_REFRESH_MS: Type.Integer({
    description: 'the reload interval of the API keys, which bounds how long a revoked key is accepted',
    minimum: 100,
    maximum: 300_000,
    default: 5_000
  }),
  API_KEYS_MAX_STALENESS_MINUTES: Type.Integer({
    description: 'the minutes for which cached API keys are accepted while the database is unavailable',
    minimum: 1,
    maximum: 10_080,
    default: 1_440
  }),
  API_REQUESTS_PER_MINUTE: Type.Integer({
    description: 'the default quota of a caller in requests per minute',
    minimum: 1,
    maximum: 60_000_000,
    default: 6_000
  })
}
