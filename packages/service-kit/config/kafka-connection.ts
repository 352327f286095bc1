import { readFileSync } from 'node:fs'
import type { KafkaConnection } from '@orderly/kafka'
import type { Static, TObject } from 'typebox'
import { ConfigError } from './config-error.ts'
import type { kafkaSettings } from './settings.ts'

export type KafkaConfig = Readonly<Static<TObject<typeof kafkaSettings>>>

/**
 * Builds the Kafka connection options from `kafkaSettings` and reads the PEM files.
 * @throws ConfigError when a PEM file cannot be read any more or is not PEM
 */
export function kafkaConnection(config: KafkaConfig, clientID: string): KafkaConnection {
  return {
    brokers: config.KAFKA_BROKERS,
    clientID,
    metadataMaxAgeMs: config.KAFKA_METADATA_MAX_AGE_MS,
    ...(config.KAFKA_TLS ? { tls: tlsOf(config) } : {}),
    ...(config.KAFKA_SASL_MECHANISM === undefined
      ? {}
      : {
          sasl: {
            mechanism: config.KAFKA_SASL_MECHANISM,
            username: config.KAFKA_SASL_USERNAME ?? '',
            password: config.KAFKA_SASL_PASSWORD ?? ''
          }
        })
  }
}

function tlsOf(config: KafkaConfig): NonNullable<KafkaConnection['tls']> {
  const { KAFKA_TLS_CA_FILE: caFile, KAFKA_TLS_CERT_FILE: certFile, KAFKA_TLS_KEY_FILE: keyFile } = config
  return {
    ...(caFile === undefined ? {} : { ca: readPem('KAFKA_TLS_CA_FILE', caFile) }),
    ...(certFile === undefined ? {} : { cert: readPem('KAFKA_TLS_CERT_FILE', certFile) }),
    ...(keyFile === undefined ? {} : { key: readPem('KAFKA_TLS_KEY_FILE', keyFile) })
  }
}

function readPem(setting: string, path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError([`${setting} is "${path}", which cannot be read: ${(error as Error).message}`])
  }
  if (!text.includes('-----BEGIN ')) {
    throw new ConfigError([`${setting} is "${path}", which is not PEM: a line "-----BEGIN …" is missing`])
  }
  return text
}
