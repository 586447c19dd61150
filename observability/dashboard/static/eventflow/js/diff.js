// What an edit changes: `<textarea data-diff-from="#original" data-diff-into="#diff">` shows the lines that differ while one types.
import { make, on, onContent } from "./dom.js";
import { formatJson, readJson } from "./json_tokens.js";
import { marked } from "./unseen.js";

const MAX_LINES = 600;

function lines(text) {
  try {
    return formatJson(readJson(text)).split("\n");
  } catch {
    return null;
  }
}

/** Lines of both texts with what became of each: " ", "−" or "+". The longest common subsequence stays. */
export function differences(before, after) {
  const longest = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      longest[i][j] = before[i] === after[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const found = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      found.push([" ", before[i]]);
      i += 1;
      j += 1;
    } else if (i < before.length && (j >= after.length || longest[i + 1][j] >= longest[i][j + 1])) {
      found.push(["−", before[i]]);
      i += 1;
    } else {
      found.push(["+", after[j]]);
      j += 1;
    }
  }
  return found;
}

function show(area) {
  const place = document.querySelector(area.dataset.diffInto);
  const before = lines(document.querySelector(area.dataset.diffFrom)?.textContent ?? "");
  const after = lines(area.value);
  place.hidden = true;
  if (!before || !after || before.length > MAX_LINES || after.length > MAX_LINES) return;
  const found = differences(before, after);
  const isNear = (index) => found.slice(Math.max(0, index - 2), index + 3).some(([sign]) => sign !== " ");
  if (!found.some(([sign]) => sign !== " ")) return;
  const kinds = { " ": "", "−": "removed", "+": "added" };
  const rows = found.map(([sign, line], index) => (isNear(index) ? make("span", { class: kinds[sign] }, `${sign} `, ...marked(line)) : null)).filter(Boolean);
  place.replaceChildren(make("div", { class: "diff", tabindex: "0" }, ...rows));
  place.hidden = false;
}

export function startDiffs() {
  onContent("textarea[data-diff-from]", show);
  on("input", "textarea[data-diff-from]", show);
}
