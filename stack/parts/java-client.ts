import type { KafkaConnection } from '@orderly/kafka'

/** How Kafka's own client is told what `connection` says. */
export function javaClientProperties({ brokers, tls, sasl }: KafkaConnection): Record<string, string> {
  const protocol = `${sasl ? 'SASL_' : ''}${tls ? 'SSL' : 'PLAINTEXT'}`
  const module = sasl?.mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
  return {
    'bootstrap.servers': brokers.join(','),
    ...(protocol !== 'PLAINTEXT' && { 'security.protocol': protocol }),
    ...(tls?.ca && { 'ssl.truststore.type': 'PEM', 'ssl.truststore.certificates': oneLine(tls.ca) }),
    ...(tls?.cert &&
      tls.key && {
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.certificate.chain': oneLine(tls.cert),
        'ssl.keystore.key': oneLine(tls.key)
      }),
    ...(sasl && {
      'sasl.mechanism': sasl.mechanism,
      'sasl.jaas.config': `org.apache.kafka.common.security.${module} required username="${quoted(sasl.username)}" password="${quoted(sasl.password)}";`
    })
  }
}

/** As the line of a properties file. */
export function toProperties(settings: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

function oneLine(pem: string): string {
  return pem.trim().replaceAll('\r', '').replaceAll('\n', '\\n')
}

/** Inside the quotes of JAAS, inside a properties file. */
function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\\\\\').replaceAll('"', '\\\\"')
}
