/** LograftStatus and LograftAdmin: this node's own facts and commands for the CLI, as JSON. */
import { LograftError } from '../base/errors.js';
import type { lograftAdminApi } from '../protocol/messages/lograft-admin.js';
import type { lograftStatusApi } from '../protocol/messages/lograft-status.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

export const lograftStatus: Handler<typeof lograftStatusApi> = (context, _r, _info, respond) => {
  context.status().then(
    (json) => respond({ errorCode: kafkaCode('NONE'), json }),
    (error: unknown) => respond(failure(error)),
  );
};

export const lograftAdmin: Handler<typeof lograftAdminApi> = (context, request, _info, respond) => {
  const { command } = request;
  if (!isCommand(command)) {
    respond(failure(new LograftError('INVALID_REQUEST', 'a command is a JSON object with an op')));
    return;
  }
  context.admin(command).then(
    (json) => respond({ errorCode: kafkaCode('NONE'), json }),
    (error: unknown) => respond(failure(error)),
  );
};

/** What travels on is well formed: nobody behind this door expects anything else. */
function isCommand(text: string): boolean {
  try {
    const command = JSON.parse(text) as Record<string, unknown> | null;
    const isWhole = (value: unknown): boolean => value === undefined || Number.isSafeInteger(value);
    return (
      typeof command?.['op'] === 'string' && isWhole(command['partition']) && isWhole(command['to'])
    );
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function failure(error: unknown): { errorCode: number; json: string } {
  if (!(error instanceof LograftError)) throw error;
  return {
    errorCode: kafkaCode('INVALID_REQUEST'),
    json: JSON.stringify({ code: error.code, message: error.message, hint: error.hint ?? null }),
  };
}
