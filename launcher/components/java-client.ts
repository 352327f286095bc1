import type { KafkaConnection } from '@orderly/kafka'

/** Returns the settings of Kafka's Java client for a connection, unescaped. */
export function javaClientProperties({ brokers, tls, sasl }: KafkaConnection): Record<string, string> {
  if (sasl?.mechanism === 'OAUTHBEARER') throw new Error('a bearer token cannot be passed to a Java client')
  const protocol = `${sasl ? 'SASL_' : ''}${tls ? 'SSL' : 'PLAINTEXT'}`
  const module = sasl?.mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
  return {
    'bootstrap.servers': brokers.join(','),
    ...(protocol !== 'PLAINTEXT' && { 'security.protocol': protocol }),
    ...(tls?.ca && { 'ssl.truststore.type': 'PEM', 'ssl.truststore.certificates': tls.ca.trim() }),
    ...(tls?.cert &&
      tls.key && {
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.certificate.chain': tls.cert.trim(),
        'ssl.keystore.key': tls.key.trim()
      }),
    ...(sasl && {
      'sasl.mechanism': sasl.mechanism,
      'sasl.jaas.config': `org.apache.kafka.common.security.${module} required username="${quoted(sasl.username)}" password="${quoted(sasl.password)}";`
    })
  }
}

/** Escapes a text for the quotes of a JAAS entry. */
function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
}
