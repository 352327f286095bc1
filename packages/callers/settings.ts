import { Type } from 'typebox'

/** Settings of services that callers call. */
export const callerSettings = {
  API_KEYS: Type.Enum(['required', 'off'], {
    description: 'whether callers have to have an API key',
    default: 'required',
    devDefault: 'off'
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
