package com.orderly.connect;

/**
 * Stops a task until an operator has acted. It is an Error because Connect sends a record to the
 * dead-letter topic for every Exception of a converter, and this fault affects more than one
 * record. `deploy/connect/connector.ts` looks for this class name in the trace of a failed task and
 * then does not restart it.
 */
public final class OperatorNeeded extends Error {
  private static final long serialVersionUID = 1L;

  public OperatorNeeded(String message) {
    super(message);
  }
}
