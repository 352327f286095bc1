import { KafkaError } from '@orderly/kafka'
import { isPostgresServerError, isTransientPostgresError } from '@orderly/postgres'
import { ConfigError } from '@orderly/service-kit'
import { orderly } from './command.ts'

/** Returns any thrown value as text that says how to fix it. */
export function explain(error: unknown): string {
  if (error instanceof KafkaError) return `Kafka: ${reasonOf(error)}. ${adviceFor(error)}`.trimEnd()
  if (isPostgresServerError(error)) return `Postgres: ${messageOf(error)}. ${adviceForDatabase(error)}`.trimEnd()
  if (isTransientPostgresError(error)) {
    return `The database cannot be reached (${messageOf(error)}). Check that it runs and that DATABASE_URL is correct.`
  }
  if (typeof (error as { exitCode?: unknown } | null)?.exitCode === 'number') return messageOf(error)
  if (typeof (error as { code?: unknown } | null)?.code === 'string') return messageOf(error)
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** Returns the reason of an error on one line, without advice about servers. */
export function reasonOf(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.join(' ').replace(/\.$/, '')
  return error instanceof KafkaError ? `${error.message} (${error.code})` : messageOf(error)
}

function adviceFor({ code, retryable }: KafkaError): string {
  if (code === 'AUTHENTICATION_FAILED')
    return 'Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.'
  if (code === 'FENCED') return 'Another process has started the same operation: check its result.'
  if (code.endsWith('_AUTHORIZATION_FAILED')) return 'Grant this user the right, or use another user.'
  if (code === 'UNKNOWN_TOPIC_OR_PARTITION') return `${orderly} topics lists all topics.`
  return retryable ? 'Check that the brokers run and that KAFKA_BROKERS has their addresses, then try again.' : ''
}

function adviceForDatabase(error: unknown): string {
  const code = (error as { code?: string }).code
  if (code === '42P01' || code === '3F000') {
    return `Run ${orderly} migrate, with the owner's address in DATABASE_OWNER_URL.`
  }
  if (code === '42501') {
    return `Use the address of the role orderly_operator in DATABASE_URL; for ${orderly} migrate that of orderly_owner in DATABASE_OWNER_URL.`
  }
  if (code === '28P01' || code === '28000') return 'Check the user and the password in DATABASE_URL.'
  return ''
}

/**
 * Returns the message of an error. Node throws an AggregateError without a message after several
 * addresses failed.
 */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}
