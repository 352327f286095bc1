import { isLoopback } from '@orderly/service-kit'
import { Type } from 'typebox'

interface Others {
  readonly HTTP_HOST: string
  readonly API_KEYS_OFF_ON_NETWORK: boolean
}

/** Settings of services that callers call. */
export const callerSettings = {
  API_KEYS: Type.Enum(['required', 'off'], {
    description: 'whether callers have to have an API key',
    default: 'required',
    devDefault: 'off',
    check: (keys: 'required' | 'off', { HTTP_HOST: host, API_KEYS_OFF_ON_NETWORK: isAccepted }: Others) =>
      keys === 'off' && !isLoopback(host) && !isAccepted
        ? `API_KEYS is off and HTTP_HOST is "${host}", so that others can do everything: set API_KEYS to required, ` +
          'HTTP_HOST to 127.0.0.1, or, where nothing but what may do everything reaches the port, API_KEYS_OFF_ON_NETWORK to true'
        : undefined
  }),
  API_KEYS_OFF_ON_NETWORK: Type.Boolean({
    description: 'whether API_KEYS may be off on an address that others than this machine can reach',
    default: false
  }),
  HTTP_ALLOWED_HOSTS: Type.Array(Type.String({ pattern: '^[A-Za-z0-9._-]{1,253}$|^\\[[0-9A-Fa-f:.]+\\]$' }), {
    description:
      'the names, without ports, beside those of loopback under which requests are answered while API_KEYS is off, separated by commas',
    default: []
  }),
  API_KEYS_REFRESH_MS: Type.Integer({
    description: 'how often the API keys are read, and how long one that was revoked goes on working at most',
    minimum: 100,
    maximum: 300_000,
    default: 5_000
  }),
  API_KEYS_TRUST_MINUTES: Type.Integer({
    description: 'for how many minutes the API keys that are known count while the database does not answer',
    minimum: 1,
    maximum: 10_080,
    default: 1_440
  }),
  API_REQUESTS_PER_MINUTE: Type.Integer({
    description: 'how many requests a minute a caller may make that has no quota of its own',
    minimum: 1,
    maximum: 60_000_000,
    default: 6_000
  })
}
