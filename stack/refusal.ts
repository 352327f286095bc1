/** Something only the person at the keyboard can change. The message is one sentence that says what is wrong and what to do. */
export class Refusal extends Error {
  constructor(message: string) {
    super(message)
    this.name = new.target.name
  }
}

/** A server or service that did not come up, or a tool that failed; the message ends with what it logged last. */
export class PartFailed extends Refusal {}
