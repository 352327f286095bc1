import { KafkaError } from '@orderly/kafka'
import { isPostgresServerError, isTransientPostgresError } from '@orderly/postgres'
import { orderly } from './command.ts'

/** Any thrown value as a sentence that says what to do. */
export function explain(error: unknown): string {
  if (error instanceof KafkaError) return `Kafka: ${reasonOf(error)}. ${adviceFor(error)}`.trimEnd()
  if (isPostgresServerError(error)) return `Postgres: ${messageOf(error)}. ${adviceForDatabase(error)}`.trimEnd()
  if (isTransientPostgresError(error)) {
    return `The database cannot be reached (${messageOf(error)}). See that it runs, and that DATABASE_URL is its address.`
  }
  if (typeof (error as { exitCode?: unknown } | null)?.exitCode === 'number') return messageOf(error)
  if (typeof (error as { code?: unknown } | null)?.code === 'string') return messageOf(error)
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** Why something failed, where something else says what to do. */
export function reasonOf(error: unknown): string {
  return error instanceof KafkaError ? `${error.message} (${error.code})` : messageOf(error)
}

function adviceFor({ code, retryable }: KafkaError): string {
  if (code === 'AUTHENTICATION_FAILED') return 'See KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.'
  if (code === 'FENCED') return 'Somebody else has started the same at the same time: see what became of theirs.'
  if (code.endsWith('_AUTHORIZATION_FAILED')) return 'Give this user the right, or use another one.'
  if (code === 'UNKNOWN_TOPIC_OR_PARTITION') return `${orderly} topics shows those that there are.`
  return retryable ? 'See that the brokers run, and that KAFKA_BROKERS are their addresses, and try again.' : ''
}

function adviceForDatabase(error: unknown): string {
  const code = (error as { code?: string }).code
  if (code === '42P01' || code === '3F000') {
    return `Run ${orderly} migrate, with the owner's address in DATABASE_OWNER_URL.`
  }
  if (code === '42501') {
    return `Use the address of the role orderly_operator in DATABASE_URL; for ${orderly} migrate that of orderly_owner in DATABASE_OWNER_URL.`
  }
  if (code === '28P01' || code === '28000') return 'See user and password in DATABASE_URL.'
  return ''
}

/** What node packs together when several addresses were tried says nothing by itself. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}
