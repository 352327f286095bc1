/**
 * A problem that only the user can fix. The message states in one sentence what is wrong and how to
 * fix it.
 */
export class UserError extends Error {
  constructor(message: string) {
    super(message)
    this.name = new.target.name
  }
}

/**
 * A server or service that did not start, or a tool that failed. The message ends with the last
 * lines of its log.
 */
export class ProcessFailedError extends UserError {}
