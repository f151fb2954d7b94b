// GraphQL documents against a schema, by the reference implementation.
import { buildSchema, parse, validate } from 'graphql';

export function schemaOf(text) {
  // GitHub's published file defines two fields twice, so its own validity is not judged here.
  return buildSchema(text, { assumeValidSDL: true });
}

export function violations(schema, document) {
  try {
    return validate(schema, parse(document)).map((error) => error.message);
  } catch (error) {
    return [error.message];
  }
}
