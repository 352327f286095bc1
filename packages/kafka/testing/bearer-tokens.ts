const listener = 'listener.name.secure'
const loginModule = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule'

/** Settings of a broker that accepts unsigned tokens, and closes connections whose token has expired. */
export const bearerSettings = {
  [`${listener}.sasl.enabled.mechanisms`]: 'OAUTHBEARER',
  [`${listener}.oauthbearer.sasl.jaas.config`]: `${loginModule} required unsecuredLoginStringClaim_sub="broker";`,
  [`${listener}.oauthbearer.connections.max.reauth.ms`]: 3_600_000
}

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Returns an unsigned token (RFC 7515) of the user `shop` that is valid from now on. */
export function unsignedToken(seconds: number): string {
  const nowSeconds = Date.now() / 1_000
  return `${base64({ alg: 'none' })}.${base64({ sub: 'shop', iat: nowSeconds - 60, exp: nowSeconds + seconds })}.`
}
