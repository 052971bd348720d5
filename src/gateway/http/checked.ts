/**
 * Parameters and bodies of a given shape: the same schemas are in the OpenAPI document. Each is
 * compiled when it is first asked for: all at once would hold up the thread for half a second.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import { Problem } from '../../handlers/http/problem.js';
import { bodyBytes, parseJson } from './body.js';

type Validator = { (data: unknown): boolean; errors?: ErrorObject[] | null };

/** Parameters are text until they are looked at. */
const parameters = new Ajv({ coerceTypes: true, verbose: true, allErrors: false });
const ajv = new Ajv({ verbose: true, allErrors: false, allowUnionTypes: true });
const compiled = new WeakMap<TSchema, ValidateFunction>();
const SHOWN_MAX = 100;

/** As the framework wants it: what is wrong stands in its `errors`. */
export function lazyValidator(schema: object): Validator {
  let validate: ValidateFunction | null = null;
  const validator: Validator = (data) => {
    validate ??= parameters.compile(schema);
    const isValid = validate(data);
    validator.errors = validate.errors ?? null;
    return isValid;
  };
  return validator;
}

type Refusal = (message: string) => Problem;

export function checkedBody<S extends TSchema>(
  request: FastifyRequest,
  schema: S,
  refusal?: Refusal,
): Static<S> {
  return checked(bodyBytes(request), schema, refusal);
}

/** An empty body is an empty object. Throws Problem 400 for no JSON, `refusal` for other JSON. */
export function checked<S extends TSchema>(
  bytes: Buffer,
  schema: S,
  refusal: Refusal = unprocessable,
): Static<S> {
  const json = bytes.length === 0 ? {} : parseJson(bytes, 'the body');
  const validate = compiled.get(schema) ?? ajv.compile(schema);
  compiled.set(schema, validate);
  if (validate(json)) return json as Static<S>;
  throw refusal(textOf(validate.errors?.[0]));
}

/** As the known REST proxies have it. */
function unprocessable(message: string): Problem {
  return new Problem(422, 'INVALID_BODY', message);
}

function textOf(error: ErrorObject | undefined): string {
  const { instancePath = '', message = 'is not valid', params, data } = error ?? {};
  const where = instancePath === '' ? 'the body' : instancePath.slice(1).replaceAll('/', '.');
  if (error?.keyword === 'additionalProperties') {
    const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
    const name = JSON.stringify(params?.['additionalProperty']);
    return `${where} has the unknown field ${name}; known fields: ${known.join(', ')}`;
  }
  const shown = error?.keyword === 'required' ? '' : ` (it is ${shorten(data)})`;
  return `${where} ${message}${shown}`;
}

function shorten(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? '…' : JSON.stringify(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
