package com.orderly.connect;

/**
 * Ends a task until an operator has acted. It is an Error because Connect writes a record to the dead-letter topic for every Exception
 * of a converter, and this fault concerns more than one record. `deploy/connect/connector.ts` looks for this name in the trace of a
 * failed task and then does not restart it.
 */
public final class OperatorNeeded extends Error {
  private static final long serialVersionUID = 1L;

  public OperatorNeeded(String message) {
    super(message);
  }
}
