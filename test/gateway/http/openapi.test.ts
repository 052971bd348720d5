/**
 * The OpenAPI document: every route is in it, it is what OpenAPI 3.1 asks for, and what a node
 * answers is what the document says.
 */
import { Ajv2020 } from 'ajv/dist/2020.js';
import Fastify from 'fastify';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { addRoutes } from '#src/gateway/http/app.js';
import type { HttpContext } from '#src/handlers/http/context.js';
import { createLogger } from '#src/observability/logger.js';
import { TestCluster } from '../../support/cluster.js';
import { type Answer, HttpClient } from './http-client.js';

type Json = Readonly<Record<string, unknown>>;
type Content = Readonly<Record<string, { readonly schema: object }>>;
type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Json;
};
type Operation = {
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly description?: string; readonly content?: Content }>
  >;
};
type Document = {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
};

const METHODS = new Set(['get', 'post', 'put', 'delete']);

/** The routes of the application, which never serves a request here. */
async function appOf(): Promise<{ routes: string[]; document: Document }> {
  const app = Fastify();
  const routes: string[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    for (const name of [method].flat()) if (name !== 'HEAD') routes.push(`${name} ${url}`);
  });
  const context = { version: '1.2.3' } as unknown as HttpContext;
  await addRoutes(app, context, createLogger({ node: 1 }, 'error'));
  const { body } = await app.inject({ url: '/openapi.json' });
  await app.close();
  return { routes, document: JSON.parse(body) as Document };
}

const { routes, document } = await appOf();
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

/** Every `$ref` anywhere in a value. */
function refsIn(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [];
  const { $ref } = value as { $ref?: unknown };
  const below = Object.values(value).flatMap(refsIn);
  return typeof $ref === 'string' ? [$ref, ...below] : below;
}

test('every route is described, and nothing else', () => {
  const described = operations.map(({ path, method }) => {
    return `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
  });
  assert.ok(routes.length > 10);
  assert.equal(described.sort(), [...routes].sort());
});

test('the document is one of OpenAPI 3.1', () => {
  assert.match(document.openapi, /^3\.1\.\d+$/);
  assert.is(document.info.title, 'lograft');
  assert.is(document.info.version, '1.2.3');
  for (const { path, method, operation } of operations) {
    const where = `${method} ${path}`;
    assert.ok(path.startsWith('/') && METHODS.has(method), where);
    assert.ok((operation.summary ?? '').length > 5, where);
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const parameters = operation.parameters ?? [];
    const inPath = parameters.filter((parameter) => parameter.in === 'path');
    assert.equal(inPath.map(({ name }) => name).sort(), named.sort(), where);
    const keys = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
    assert.is(new Set(keys).size, keys.length, where);
    for (const parameter of parameters) {
      assert.ok(['path', 'query', 'header'].includes(parameter.in), where);
      assert.ok((parameter.description ?? '').length > 5, `${where}: ${parameter.name}`);
      assert.is(typeof parameter.schema, 'object', where);
      if (parameter.in === 'path') assert.is(parameter.required, true, where);
    }
    assert.ok(
      Object.keys(operation.responses).some((status) => status.startsWith('2')),
      where,
    );
    assert.ok(operation.responses['default']?.content !== undefined, `${where} has no errors`);
    for (const { description } of Object.values(operation.responses)) {
      assert.ok((description ?? '').length > 1, where);
    }
  }
});

test('every schema compiles, every reference leads somewhere', () => {
  for (const ref of refsIn(document)) {
    const [, name] = /^#\/components\/schemas\/(\w+)$/.exec(ref) ?? [];
    assert.ok(name !== undefined && document.components.schemas[name] !== undefined, ref);
  }
  assert.ok(refsIn(document).includes('#/components/schemas/Problem'));
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
  const { components } = document;
  ajv.addVocabulary(['components']);
  for (const { operation } of operations) {
    for (const { schema } of operation.parameters ?? []) ajv.compile({ ...schema, components });
    const contents = [operation.requestBody, ...Object.values(operation.responses)];
    for (const { schema } of contents.flatMap((part) => Object.values(part?.content ?? {}))) {
      ajv.compile({ ...schema, components });
    }
  }
});

let cluster: TestCluster;
let http: HttpClient;

test.before(async () => {
  cluster = await TestCluster.start({ nodes: 1 });
  http = new HttpClient(cluster);
});
test.after(() => cluster.down());

/** Does an answer have the shape that the document gives it, with nothing besides? */
function mustFit(method: string, path: string, { status, type, json }: Answer): void {
  const responses = document.paths[path]?.[method]?.responses ?? {};
  const schema = (responses[status] ?? responses['default'])?.content?.[type]?.schema;
  assert.ok(schema !== undefined, `${method} ${path}: ${status} ${type} is not described`);
  const ajv = new Ajv2020({ strict: false });
  const { components } = document;
  const validate = ajv.compile({ ...closed(schema), components });
  assert.ok(validate(json), `${method} ${path}: ${ajv.errorsText(validate.errors)}`);
}

/** Objects of named members take no others, so that a field nobody described is found. */
function closed(schema: object): object {
  const { properties, anyOf, items, ...rest } = schema as {
    properties?: Record<string, object>;
    anyOf?: object[];
    items?: object;
  };
  const inner = Object.entries(properties ?? {}).map(([name, value]) => [name, closed(value)]);
  const isClosed = inner.length > 0 && !('additionalProperties' in rest);
  return {
    ...rest,
    ...(properties === undefined ? {} : { properties: Object.fromEntries(inner) }),
    ...(isClosed ? { additionalProperties: false } : {}),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(closed) }),
    ...(items === undefined ? {} : { items: closed(items) }),
  };
}

test('answers are what the document says', async () => {
  const made = await http.post(1, '/topics', '{"name":"t","configs":{"retention.ms":"1000000"}}');
  mustFit('post', '/topics', made);
  mustFit('post', '/topics', await http.post(1, '/topics', '{"name":"t"}'));
  const json = 'application/json';
  const records = `[{"value":"a","headers":{"h":1}},{"value":"/w==","valueEncoding":"base64"}]`;
  const path = '/topics/{topic}/records';
  mustFit('post', path, await http.post(1, '/topics/t/records', records, json));
  mustFit('post', path, await http.post(1, '/topics/t/records', 'x'));
  const cases: [string, string][] = [
    ['/livez', '/livez'],
    ['/readyz', '/readyz'],
    ['/openapi.json', '/openapi.json'],
    ['/topics', '/topics'],
    ['/topics/{topic}', '/topics/t'],
    ['/topics/{topic}', '/topics/none'],
    ['/topics/{topic}/partitions', '/topics/t/partitions'],
    ['/topics/{topic}/partitions/{partition}', '/topics/t/partitions/0'],
    ['/topics/{topic}/partitions/{partition}/records', '/topics/t/partitions/0/records'],
    ['/topics/{topic}/partitions/{partition}/records', '/topics/t/partitions/0/records?max=x'],
  ];
  for (const [described, asked] of cases) mustFit('get', described, await http.ask(1, asked));
});

test('the shapes of the known proxies are what the document says', async () => {
  const v2 = 'application/vnd.kafka.v2+json';
  const json = 'application/vnd.kafka.json.v2+json';
  const body = '{"records":[{"key":1,"value":{"a":[]}}]}';
  mustFit('post', '/topics/{topic}', await http.post(1, '/topics/t', body, json));
  mustFit('post', '/topics/{topic}', await http.post(1, '/topics/none', body, json));
  const instance = '/consumers/{group}/instances/{instance}';
  const settings = '{"name":"i","format":"json","auto.offset.reset":"earliest"}';
  mustFit('post', '/consumers/{group}', await http.post(1, '/consumers/g', settings, v2));
  const partitions = '{"partitions":[{"topic":"t","partition":0}]}';
  await http.post(1, '/consumers/g/instances/i/assignments', partitions, v2);
  await http.post(1, '/consumers/g/instances/i/offsets', '{"offsets":[]}', v2);
  const seek = '{"offsets":[{"topic":"t","partition":0,"offset":3}]}';
  await http.post(1, '/consumers/g/instances/i/positions', seek, v2);
  for (const what of ['subscription', 'assignments', 'records', 'offsets']) {
    const found = await http.ask(1, `/consumers/g/instances/i/${what}`);
    assert.is(found.status, 200, JSON.stringify(found.json));
    mustFit('get', `${instance}/${what}`, found);
    await http.post(1, '/consumers/g/instances/i/offsets', '', v2);
  }
  const { data } = (await http.ask(1, '/v3/clusters')).json as { data: { cluster_id: string }[] };
  const base = `/v3/clusters/${data[0]?.cluster_id}`;
  const cases: [string, string][] = [
    ['', ''],
    ['/brokers', '/brokers'],
    ['/brokers/{broker}', '/brokers/1'],
    ['/topics', '/topics'],
    ['/topics/{topic}', '/topics/t'],
    ['/topics/{topic}', '/topics/none'],
    ['/topics/{topic}/partitions', '/topics/t/partitions'],
    ['/topics/{topic}/partitions/{partition}', '/topics/t/partitions/0'],
    ['/topics/{topic}/configs', '/topics/t/configs'],
    ['/consumer-groups', '/consumer-groups'],
    ['/consumer-groups/{group}', '/consumer-groups/g'],
    ['/consumer-groups/{group}/lags', '/consumer-groups/g/lags'],
  ];
  mustFit('get', '/v3/clusters', await http.ask(1, '/v3/clusters'));
  for (const [described, asked] of cases) {
    const found = await http.ask(1, `${base}${asked}`);
    assert.is(found.status, asked.includes('none') ? 404 : 200, asked + JSON.stringify(found.json));
    mustFit('get', `/v3/clusters/{cluster}${described}`, found);
  }
});

test.run();
