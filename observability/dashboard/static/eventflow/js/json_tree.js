// A foldable tree in place of `<pre data-json>`: built from DOM nodes, with every value exactly as sent.
import { make, onContent } from "./dom.js";
import { readJson } from "./json_tokens.js";
import { marked } from "./unseen.js";

const OPEN_DEPTH = 3;
// What has more is shown folded but for its outermost level: a page of all its nodes would stand still for seconds.
const MAX_OPEN_NODES = 5000;
const PAGE = 200;

function countNodes(node) {
  let count = 1;
  for (const child of node.children ?? []) count += countNodes(child);
  return count;
}

function label(node) {
  if (node.key === undefined) return [];
  return [make("span", { class: "json-key" }, ...marked(node.key)), ": "];
}

function leaf(node) {
  return make("span", { class: `json-${node.kind}` }, ...marked(node.text));
}

function branch(node, depth, comma, openDepth) {
  const [open, close] = node.kind === "object" ? "{}" : "[]";
  if (node.children.length === 0) return [...label(node), open + close + comma];
  const size = node.children.length;
  const noun = node.kind === "object" ? (size === 1 ? "field" : "fields") : (size === 1 ? "item" : "items");
  const summary = make("summary", {}, ...label(node), open, make("span", { class: "json-more" }, ` ${size} ${noun} ${close}${comma}`));
  const details = make("details", { open: depth < openDepth }, summary);
  const list = make("ul");
  let shown = 0;
  const showMore = () => {
    const until = Math.min(size, shown + PAGE);
    for (; shown < until; shown += 1) list.append(entry(node.children[shown], depth + 1, shown < size - 1 ? "," : "", openDepth));
    if (shown < size) {
      const more = make("button", { type: "button", class: "btn btn-small" }, `Show ${Math.min(PAGE, size - shown)} more of ${size}`);
      const item = make("li", {}, more);
      more.addEventListener("click", () => { item.remove(); showMore(); });
      list.append(item);
    }
  };
  // Folded branches are built when they are opened: a large payload costs what is looked at.
  const build = () => { if (shown === 0) showMore(); };
  if (details.open) build();
  details.addEventListener("toggle", build);
  details.append(list);
  return [details, make("span", { class: "json-close" }, close + comma)];
}

function entry(node, depth, comma, openDepth) {
  const item = make("li");
  if (node.children) item.append(...branch(node, depth, comma, openDepth));
  else item.append(...label(node), leaf(node), comma);
  return item;
}

function enhance(pre) {
  let root;
  try {
    root = readJson(pre.textContent);
  } catch {
    return; // What is not JSON stays as the text it is.
  }
  const tree = make("div", { class: "json", tabindex: "0", role: "group", "aria-label": pre.dataset.json || "JSON" });
  const body = make("div", { class: "json-root" });
  body.append(...(root.children ? branch(root, 0, "", countNodes(root) > MAX_OPEN_NODES ? 1 : OPEN_DEPTH) : [leaf(root)]));
  tree.append(body);
  pre.hidden = true;
  pre.removeAttribute("data-json");
  pre.after(tree);
}

export function startJsonTrees() {
  onContent("pre[data-json]", enhance);
}
