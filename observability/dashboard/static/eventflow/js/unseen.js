// Characters that nobody sees, or that turn round their neighbours, as marks; the character stays, so copies are exact.
// The same list as in unseen.py, which marks what comes from the server.
import { make } from "./dom.js";

const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]|(?<![\u2600-\u27bf\ufe0f\u{1f000}-\u{1faff}])\u200d/gu;

/** The text as nodes: plain, and a mark for each unseen character. */
export function marked(text) {
  const nodes = [];
  let end = 0;
  for (const { 0: character, index } of text.matchAll(UNSEEN)) {
    const code = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    nodes.push(text.slice(end, index), make("span", { class: "unseen", "data-code": code }, character));
    end = index + character.length;
  }
  return [...nodes, text.slice(end)];
}
