// JSON as the text it is: a tokenizer that never turns a number into a double or a string into another string.
//
// `JSON.parse` would show 9007199254740993 as …992, drop a duplicate key and reorder integer-like ones.
// Here every token keeps its own characters.

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\n\r]*/y;
const MAX_DEPTH = 200;

export class JsonError extends Error {
  constructor(message, position) {
    super(message);
    this.position = position;
  }
}

/** Line and column, from 1, of a position in a text. */
export function place(text, position) {
  const before = text.slice(0, position);
  const line = before.split("\n").length;
  return { line, column: position - before.lastIndexOf("\n") };
}

/**
 * Read a JSON text into nodes `{kind, text}` (string, number, word) or `{kind, children}` (array, object);
 * an object's children carry `key`, the key's own characters with its quotes.
 */
export function readJson(text) {
  let position = 0;
  const match = (pattern) => {
    pattern.lastIndex = position;
    const found = pattern.exec(text);
    if (!found) return null;
    position = pattern.lastIndex;
    return found[0];
  };
  const fail = (message, at = position) => { throw new JsonError(message, at); };
  const found = () => (position >= text.length ? "the text ends here" : `found ${JSON.stringify(String.fromCodePoint(text.codePointAt(position)))}`);

  function readString(what) {
    if (text[position] !== '"') fail(`Expected ${what}, ${found()}`);
    const start = position;
    const token = match(STRING);
    if (token === null) {
      const end = text.indexOf('"', start + 1);
      fail(end < 0 ? "This string is not closed" : "This string holds a raw control character or an unknown escape", start);
    }
    return token;
  }

  function readMembers(close, depth, readOne) {
    const children = [];
    position += 1;
    match(SPACE);
    if (text[position] === close) { position += 1; return children; }
    for (;;) {
      children.push(readOne(depth));
      match(SPACE);
      if (text[position] === ",") {
        position += 1;
        match(SPACE);
        if (text[position] === close) fail("A comma is not allowed before the end", position);
      } else if (text[position] === close) { position += 1; return children; }
      else fail(`Expected "," or "${close}", ${found()}`);
    }
  }

  function readMember(depth) {
    const key = readString("a name in double quotes");
    match(SPACE);
    if (text[position] !== ":") fail(`Expected ":" after the name, ${found()}`);
    position += 1;
    return { ...readValue(depth), key };
  }

  function readValue(depth = 0) {
    if (depth > MAX_DEPTH) fail("Nested too deeply");
    match(SPACE);
    const first = text[position];
    if (first === "{") return { kind: "object", children: readMembers("}", depth + 1, readMember) };
    if (first === "[") return { kind: "array", children: readMembers("]", depth + 1, readValue) };
    if (first === '"') return { kind: "string", text: readString("a value") };
    for (const word of ["true", "false", "null"]) {
      if (text.startsWith(word, position)) { position += word.length; return { kind: "word", text: word }; }
    }
    const number = match(NUMBER);
    if (number !== null) return { kind: "number", text: number };
    return fail(`Expected a value, ${found()}`);
  }

  const root = readValue();
  match(SPACE);
  if (position < text.length) fail(`Nothing may follow the value, ${found()}`);
  return root;
}

/** The same JSON, indented; every scalar keeps its own characters. */
export function formatJson(node, indent = "") {
  if (node.text !== undefined) return node.text;
  const [open, close] = node.kind === "object" ? "{}" : "[]";
  if (node.children.length === 0) return open + close;
  const inner = `${indent}  `;
  const lines = node.children.map((child) => `${inner}${child.key === undefined ? "" : `${child.key}: `}${formatJson(child, inner)}`);
  return `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}
