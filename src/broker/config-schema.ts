/**
 * The one JSON schema of cluster.yml (the settings come from the registry), compiled by ajv, and
 * the translation of ajv's findings into sentences that name the key, the bad value and what is
 * allowed. Its one promise: what passes here needs no second look at types or bounds. Any thread.
 */
import { Ajv, type ErrorObject } from 'ajv';
import Type, { type Static } from 'typebox';
import { type BrokerSettings, SETTING_SHAPES } from './settings.js';

const Port = Type.Integer({ minimum: 1, maximum: 65_535 });
const Host = Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9._:-]+$' });

const NodeSchema = Type.Object(
  {
    id: Type.Integer({ minimum: 1, maximum: 9999 }),
    host: Type.Optional(Host),
    advertisedHost: Type.Optional(Host),
    advertisedPort: Type.Optional(Port),
    kafkaPort: Type.Optional(Port),
    peerPort: Type.Optional(Port),
    httpPort: Type.Optional(Port),
    rack: Type.Optional(Type.String({ minLength: 1, maxLength: 249 })),
  },
  { additionalProperties: false },
);

/** The registry's shapes are JSON schema already. */
const SettingsSchema = Type.Unsafe<Partial<BrokerSettings>>({
  type: 'object',
  properties: SETTING_SHAPES,
  additionalProperties: false,
});

const ClusterFileSchema = Type.Object(
  {
    clusterName: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    dataDir: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    host: Type.Optional(Host),
    basePort: Type.Optional(Port),
    nodes: Type.Optional(Type.Array(NodeSchema, { minItems: 1, maxItems: 99 })),
    settings: Type.Optional(SettingsSchema),
  },
  { additionalProperties: false },
);

export type ClusterFile = Static<typeof ClusterFileSchema>;
export type NodeEntry = Static<typeof NodeSchema>;

/** Where in the document, what is wrong, and whether the key (not its value) is the culprit. */
export type SchemaFinding = {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly isAboutKey: boolean;
};

const validate = (() => {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: true });
  ajv.addVocabulary(['unit']);
  return ajv.compile<ClusterFile>(ClusterFileSchema);
})();

/** Findings in document order of the schema; empty when `value` is a {@link ClusterFile}. */
export function checkClusterFile(value: unknown): readonly SchemaFinding[] {
  if (validate(value)) return [];
  return (validate.errors ?? []).map((error) => finding(error, value));
}

const PARENTS: Readonly<Record<string, { properties: object }>> = {
  settings: { properties: SETTING_SHAPES },
  nodes: NodeSchema,
};

/** Keys that may stand at `path` in cluster.yml, for "did you mean". */
export function allowedKeys(path: readonly (string | number)[]): readonly string[] {
  const parent = path.length === 0 ? ClusterFileSchema : PARENTS[String(path[0])];
  return Object.keys(parent?.properties ?? {});
}

/** The JSON type that the schema wants at `path`; undefined where nothing may stand. */
export function wantedType(path: readonly (string | number)[]): string | undefined {
  const parent = path.length === 1 ? ClusterFileSchema : PARENTS[String(path[0])];
  const shapes = (parent?.properties ?? {}) as Record<string, { type?: string }>;
  const shape = shapes[String(path.at(-1))];
  return shape === undefined ? undefined : (shape.type ?? 'string');
}

/** The member of `names` closest to `name`, if it is close enough to be a slip of the hand. */
export function nearestName(
  name: string,
  names: readonly string[],
  distanceMax = Math.max(2, Math.floor(name.length / 3)),
): string | undefined {
  let best: string | undefined;
  let bestDistance = distanceMax + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function finding(error: ErrorObject, root: unknown): SchemaFinding {
  const path = pointerPath(error.instancePath, root);
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params['additionalProperty']);
    const nearest = nearestName(key, allowedKeys(path));
    const advice =
      nearest === undefined
        ? `known keys: ${shortList(allowedKeys(path))}`
        : `did you mean "${nearest}"?`;
    return { path: [...path, key], message: `unknown key; ${advice}`, isAboutKey: true };
  }
  if (error.keyword === 'required') {
    const key = String(error.params['missingProperty']);
    return { path, message: `the key "${key}" is missing`, isAboutKey: false };
  }
  const bad = JSON.stringify(error.data) ?? 'nothing';
  const shown = bad.length > 80 ? `${bad.slice(0, 77)}…` : bad;
  return {
    path,
    message: `${shown} is not allowed; expected ${allowed(error)}`,
    isAboutKey: false,
  };
}

function allowed(error: ErrorObject): string {
  const shape = (error.parentSchema ?? {}) as Record<string, unknown>;
  if (Array.isArray(shape['enum'])) {
    return `one of ${(shape['enum'] as unknown[]).map((v) => JSON.stringify(v)).join(', ')}`;
  }
  switch (shape['type']) {
    case 'integer':
      return `a whole number${range(shape['minimum'], shape['maximum'])}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return error.keyword === 'pattern'
        ? 'a host name or an IP address'
        : 'a text that is not empty';
    case 'array':
      return 'a list of 1 to 99 nodes';
    default:
      return 'a mapping of keys to values';
  }
}

function range(minimum: unknown, maximum: unknown): string {
  const hasMaximum = typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER;
  if (!hasMaximum) return ` of at least ${String(minimum)}`;
  return ` from ${String(minimum)} to ${String(maximum)}`;
}

function shortList(names: readonly string[]): string {
  return names.length > 8 ? `${names.slice(0, 8).join(', ')}, …` : names.join(', ');
}

/** A JSON pointer as keys; list indexes become numbers, because YAML looks them up by number. */
function pointerPath(pointer: string, root: unknown): (string | number)[] {
  const path: (string | number)[] = [];
  let at = root;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(at) ? Number(key) : key);
    at = (at as Record<string, unknown> | undefined)?.[key];
  }
  return path;
}

/** Levenshtein distance, two rows. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(
        Math.min(substitution, (previous[j] as number) + 1, (current[j - 1] as number) + 1),
      );
    }
    previous = current;
  }
  return previous[b.length] as number;
}
