// What a schema wants, as far as one must know it to fix an input or to show an example of it.
import { z } from 'zod';

const nodeSchema = z.object({
  type: z.string().optional(),
  enum: z.array(z.string()).optional(),
  default: z.unknown().optional(),
  minimum: z.number().optional(),
  required: z.array(z.string()).default([]),
  get properties() {
    return z.record(z.string(), nodeSchema).optional();
  },
  get additionalProperties() {
    return z.union([z.boolean(), nodeSchema]).optional();
  },
  get items() {
    return nodeSchema.optional();
  },
});
export type InputNode = z.infer<typeof nodeSchema>;

export function nodeOf(schema: z.ZodType): InputNode {
  return nodeSchema.parse(z.toJSONSchema(schema, { io: 'input' }));
}

/** True for a map of texts. */
export function isMap({ type, additionalProperties }: InputNode): boolean {
  return type === 'object' && typeof additionalProperties === 'object';
}
