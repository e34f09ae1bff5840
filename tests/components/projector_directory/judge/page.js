// Runs the code of TensorBoard's projector page without a browser.
//
// The classes are cut out of the bundle that the installed TensorBoard ships. What they refer to is
// cut out too, when it is first used. Drawing, dialogs and the browser's own objects are replaced.
// A line of standard input is a request, a line of standard output an answer, both in JSON. Requests
// of the page to its server are written to standard output, and answered on standard input.

"use strict";
const fs = require("fs");
const vm = require("vm");

const bundle = fs.readFileSync(process.argv[2], "utf8");

// Returns the shortest source from `start` on that ends at one of the marks and is an expression.
function expressionAt(start, marks) {
  for (let end = start; end < bundle.length; end++) {
    end = Math.min(...marks.map((mark) => bundle.indexOf(mark, end)).filter((at) => at >= 0));
    const text = bundle.slice(start, marks[0] === "}" ? end + 1 : end);
    try {
      new vm.Script(`(${text}\n)`);
      return text;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  throw new Error(`Nothing ends that starts with ${bundle.slice(start, start + 60)}`);
}

// Returns the name and the source of the class that contains a piece of code.
function classWith(code) {
  const inside = bundle.indexOf(code);
  if (inside < 0) throw new Error(`The bundle has no ${code}`);
  const names = [...bundle.slice(0, inside).matchAll(/([\w$]+)=class(?: [\w$]+)?(?: extends [^{]*)?\{/g)];
  const last = names[names.length - 1];
  const text = expressionAt(last.index + last[1].length + 1, ["}"]);
  if (last.index + text.length < inside) throw new Error(`No class holds ${code}`);
  return [last[1], text];
}

function definitionOf(name) {
  const escaped = name.replaceAll("$", "\\$");
  // Definitions at the top of the bundle come after a statement or a declaration.
  let found = bundle.match(new RegExp(`(?<=[;}\\n])function ${escaped}\\(`));
  if (found) return expressionAt(found.index, ["}"]);
  found = bundle.match(new RegExp(`(?<=[;}\\n]var |,)${escaped}=(?!=)`));
  if (found) return expressionAt(found.index + name.length + 1, [",", ";"]);
  return null;
}

// The errors of the page: dialogs, toasts and exceptions. `progress` holds the open progress dialogs.
let errors = [];
let progress = new Set();
const fail = (error) => errors.push(`${error?.name ?? "rejected"}: ${error?.message ?? error}`);
process.on("unhandledRejection", fail);

// The browser's tasks, which run one after the other. A small directory takes some tens of them.
let tasks = [];
async function settle() {
  for (let count = 0; ; count++) {
    await new Promise((resolve) => setImmediate(resolve));
    const task = tasks.shift();
    if (!task) return;
    if (count > 2000) {
      tasks = [];
      errors.push("the page never ends");
      return;
    }
    try {
      task();
    } catch (error) {
      fail(error);
    }
  }
}

const input = Buffer.alloc(1 << 16);
let unread = "";
function readLine() {
  for (;;) {
    const end = unread.indexOf("\n");
    if (end >= 0) {
      const line = unread.slice(0, end);
      unread = unread.slice(end + 1);
      return line;
    }
    const size = fs.readSync(0, input);
    if (size === 0) process.exit(0);
    unread += input.latin1Slice(0, size); // Lines are ASCII.
  }
}
function writeLine(value) {
  fs.writeSync(1, JSON.stringify(value) + "\n");
}

// Asks the server, with the address encoded as a browser does.
function ask(address) {
  const url = new URL(address, "http://localhost/");
  writeLine({ get: url.pathname + url.search });
  const { status, body } = JSON.parse(readLine());
  return { status, body: Buffer.from(body, "base64") };
}

// Replaces any object of the document: each property is another stand-in, and its number is 0.
function standIn() {
  const properties = new Map();
  return new Proxy(function () {}, {
    get(_, key) {
      if (key === Symbol.toPrimitive) return () => "0";
      if (key === Symbol.iterator || key === "then") return undefined;
      if (!properties.has(key)) properties.set(key, standIn());
      return properties.get(key);
    },
    set: (_, key, value) => properties.set(key, value) && true,
    apply: () => standIn(),
    construct: () => standIn(),
  });
}

// The base class of the page's elements, with the members that they use.
class Element {
  constructor() {
    this.elements = new Map();
    this.$$ = (selector) => {
      if (!this.elements.has(selector)) this.elements.set(selector, standIn());
      return this.elements.get(selector);
    };
    this.$ = new Proxy({}, { get: (_, id) => this.$$(`#${String(id)}`) });
    this.style = standIn();
    this.root = standIn();
  }
  ready() {}
  set(path, value) {
    if (typeof path !== "string") throw new TypeError(`${path} is no path`);
    this[path] = value;
  }
  push(path, ...values) {
    this[path].push(...values);
  }
  notifyPath() {}
}

class XMLHttpRequest {
  open(_, address) {
    this.address = address;
  }
  send() {
    tasks.push(() => {
      const { status, body } = ask(this.address);
      this.status = status;
      this.readyState = 4;
      this.responseText = new TextDecoder().decode(body);
      this.response = this.responseText;
      if (this.responseType === "arraybuffer") this.response = new Uint8Array(body).buffer;
      this.onreadystatechange?.();
      this.onload?.();
    });
  }
}

class Blob {
  constructor(parts) {
    this.bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
  }
}
class FileReader {
  readAsText(blob) {
    tasks.push(() => {
      this.result = new TextDecoder().decode(blob.bytes);
      this.onload({ target: this });
    });
  }
}

class Image {
  set src(address) {
    this.address = address;
    tasks.push(() => {
      const { status, body } = ask(address);
      if (status !== 200 || body.toString("latin1", 0, 8) !== "\x89PNG\r\n\x1a\n") {
        this.onerror(new Error("The image cannot be shown"));
        return;
      }
      this.width = body.readUInt32BE(16);
      this.height = body.readUInt32BE(20);
      this.onload();
    });
  }
  get src() {
    return this.address;
  }
}

const errorDialog = bundle.match(/function ([\w$]+)\(n,t\)\{[\w$]+\(n,null,"Error "/)[1];
const toast = bundle.match(/function ([\w$]+)\(n\)\{[^}]*"#toast"/)[1];
const message = bundle.match(/function ([\w$]+)\(n,t=null,e=null,r=!1\)/)[1];
// The scales of colors: the first gives each text a number of its own, the second a gradient.
const [, ordinal, palette] = bundle.match(/([\w$]+)\(([\w$]+)\),f=d\.range\(\)/);
const [, linear] = bundle.match(/([\w$]+)\(\)\.domain\([\w$]+\.map\([\w$]+=>[\w$]+\.value\)\)/);
function ordinalScale() {
  const numbers = new Map();
  const scale = (value) => {
    if (!numbers.has(`${value}`)) numbers.set(`${value}`, numbers.size);
    return numbers.get(`${value}`);
  };
  scale.range = (range) => (range ? scale : new Array(10).fill(0));
  scale.domain = (values) => values.forEach(scale);
  return scale;
}
function linearScale() {
  const scale = (value) => Number(value);
  scale.range = () => scale;
  scale.domain = () => scale;
  return scale;
}

const definitions = new Map([
  [ordinal, ordinalScale],
  [palette, null],
  [linear, linearScale],
  [errorDialog, (text, title) => errors.push(`dialog: ${title}: ${text}`)],
  [toast, (text) => errors.push(`toast: ${text}`)],
  [
    message,
    (text, id) => {
      id ??= `${Math.random()}`;
      text === null ? progress.delete(id) : progress.add(id).add(id);
      return id;
    },
  ],
  ["XMLHttpRequest", XMLHttpRequest],
  ["Blob", Blob],
  ["FileReader", FileReader],
  ["Image", Image],
  ["document", standIn()],
  ["window", standIn()],
  ["setTimeout", (task) => tasks.push(task)],
  ["requestAnimationFrame", (task) => tasks.push(task)],
]);

// A scope in which the bundle's names are what the bundle defines them to be.
const scope = new Proxy(
  {},
  {
    has: (_, name) => typeof name === "string" && (definitions.has(name) || !(name in globalThis)),
    get(_, name) {
      if (name === Symbol.unscopables) return undefined;
      if (!definitions.has(name)) {
        const text = definitionOf(name);
        // An enumeration is declared without a value, which a function gives it.
        if (text === null && !bundle.includes(`(${name}||(${name}={}))`))
          throw new ReferenceError(`${name} is not defined`);
        definitions.set(name, text === null ? standIn() : evaluate(text));
      }
      return definitions.get(name);
    },
    set: (_, name, value) => definitions.set(name, value) && true,
  },
);
function evaluate(text) {
  return vm.runInThisContext(`(function (scope) { with (scope) { return (${text}\n) } })`)(scope);
}

function takeClass(code) {
  const [name, text] = classWith(code);
  const made = evaluate(text.replace(/^(class(?: [\w$]+)?) extends [^{]*\{/, "$1 extends Element {"));
  definitions.set(name, made);
  made.observers = [...bundle.matchAll(observerPattern)]
    .filter((match) => match[2] === name)
    .map((match) => ({ property: match[1], method: match[3] }));
  return made;
}
const observerPattern =
  /\(\[[\w$]+\("(\w+)"\),(?:(?!\(\[[\w$]+\().)*?\],([\w$]+)\.prototype,"(\w+)",null\)/g;
definitions.set("Element", Element);

const Dataset = takeClass("computeSequences(");
const Provider = takeClass("runProjectorConfigCache={}");
const DataPanel = takeClass("_generateUiForNewCheckpointForRun(");
const BookmarkPanel = takeClass("savedStatesValid(");
const InspectorPanel = takeClass("_selectedMetadataFieldChanged(){");
const ProjectionsPanel = takeClass("dataSetUpdated(t,e,r){");
const InputField = takeClass("registerInputChangedListener(t){");
const MetadataCard = takeClass("setLabelOption(t){");
const Adapter = takeClass("getLabelText(t,e,r){");
const Projector = takeClass("loadState(t){");

// The page's own layouts take long, and do not depend on what is tested.
Dataset.prototype.projectPCA = function () {
  this.fracVariancesExplained = new Array(10).fill(0.1);
  return Promise.resolve();
};
Dataset.prototype.projectTSNE = function () {
  this.tsne = null;
};
Dataset.prototype.initTsneSolutionFromCurrentProjection = () => {};
Dataset.prototype.projectUmap = () => {};

function make(Class) {
  const made = new Class();
  for (const { property, method } of Class.observers) {
    let value = made[property];
    Object.defineProperty(made, property, {
      get: () => value,
      set(next) {
        if (next === value) return;
        value = next;
        made[method](value);
      },
    });
  }
  return made;
}

function openPage() {
  const projector = make(Projector);
  const panels = {
    dataPanel: make(DataPanel),
    inspectorPanel: make(InspectorPanel),
    projectionsPanel: make(ProjectionsPanel),
    bookmarkPanel: make(BookmarkPanel),
    metadataCard: make(MetadataCard),
  };
  for (const id of ["xLeft", "xRight", "yUp", "yDown"]) {
    const field = make(InputField);
    field.ready();
    field.paperInput.value = "";
    panels.projectionsPanel.elements.set(`#${id}`, field);
  }
  const adapter = standIn();
  adapter.getLabelText = Adapter.prototype.getLabelText;
  Object.assign(projector, panels, {
    projectorScatterPlotAdapter: adapter,
    analyticsLogger: standIn(),
    statusBar: standIn(),
    selectionChangedListeners: [],
    hoverListeners: [],
    projectionChangedListeners: [],
    distanceMetricChangedListeners: [],
    selectedPointIndices: [],
    neighborsOfFirstPoint: [],
    editMode: false,
  });
  for (const panel of Object.values(panels)) panel.ready();
  panels.inspectorPanel.initialize(projector, projector);
  panels.projectionsPanel.initialize(projector);
  panels.bookmarkPanel.initialize(projector, projector);
  projector.dataProvider = new Provider("/data/plugin/projector");
  panels.dataPanel.initialize(projector, projector.dataProvider);
  return projector;
}

const guarded = (look) => {
  try {
    return look();
  } catch (error) {
    fail(error);
    return null;
  }
};

// Returns the errors since the last call; a progress dialog that is still open counts as one.
function takeErrors() {
  const taken = [...errors, ...[...progress].map((id) => `hangs: ${id}`)];
  errors = [];
  progress = new Set();
  return taken;
}

function lookAtPoints(projector) {
  const data = projector.dataSet;
  if (!data || !projector.originalDataSet) return null;
  const card = projector.metadataCard;
  return {
    vectors: projector.originalDataSet.points.map((point) =>
      Buffer.from(Float32Array.from(point.vector).buffer).toString("base64"),
    ),
    labels: data.points.map((_, row) =>
      projector.projectorScatterPlotAdapter.getLabelText(data, row, projector.selectedLabelOption),
    ),
    cards: data.points.map(({ metadata }) => {
      card.updateMetadata(metadata);
      return card.metadata.map(({ key, value }) => [key, value === null ? null : String(value)]);
    }),
    lines: data.sequences.filter(({ pointIndices }) => pointIndices.length > 1).length,
  };
}

function lookAtColors(projector) {
  const colored = projector.dataPanel.colorOptions.filter((option) => option.map);
  return colored.map((option) => {
    projector.dataPanel.selectedColorOptionName = option.name;
    const color = projector.getLegendPointColorer(option);
    return {
      name: option.name,
      items: option.items.map(({ label, count }) => [label, count]),
      legend: option.items.map(({ label }) => option.map(label)),
      points: projector.dataSet.points.map((_, row) => color(projector.dataSet, row)),
    };
  });
}

function searchAll(projector) {
  return projector.inspectorPanel.metadataFields.map((column) => {
    projector.dataSet.query("a", false, column);
    return column;
  });
}

function lookAtBookmark(projector) {
  const { projection, dataSet } = projector;
  return {
    rows: dataSet.points.map(({ index }) => index),
    places: dataSet.points.map((point) =>
      projection.projectionComponents
        .filter((name) => name !== null)
        .map((name) => point.projections[name] ?? null),
    ),
    tab: projection.projectionType,
    color: projector.dataPanel.selectedColorOptionName,
    label: projector.selectedLabelOption,
  };
}

// Clicks a bookmark that hides points, and then those of each other tensor.
async function clickAcross(projector, tensors) {
  const open = async ({ name }) => {
    guarded(() => (projector.dataPanel.selectedTensor = name));
    await settle();
  };
  const click = async (number) => {
    guarded(() => projector.bookmarkPanel.loadSavedState(number));
    await settle();
  };
  for (const first of tensors.filter(({ hiding }) => hiding >= 0)) {
    for (const second of tensors.filter((tensor) => tensor !== first)) {
      await open(first);
      await click(first.hiding);
      await open(second);
      const own = new Set(projector.originalDataSet?.points.map(({ metadata }) => metadata));
      for (const [number, { errors }] of second.bookmarks.entries()) {
        await click(number);
        if (!projector.dataSet?.points.every(({ metadata }) => own.has(metadata)))
          errors.push(`shows the points of ${first.name}`);
        errors.push(...takeErrors());
      }
      takeErrors();
    }
  }
}

async function show() {
  const answer = { runs: [], tensors: [] };
  let projector = null;
  guarded(() => (projector = openPage()));
  await settle();
  answer.errors = takeErrors();
  const panel = projector?.dataPanel;
  answer.runs = panel?.runNames ?? [];
  answer.opened = panel?.selectedTensor ?? null;
  for (const { name } of panel?.tensorNames ?? []) {
    const tensor = { name };
    answer.tensors.push(tensor);
    if (panel.selectedTensor !== name) {
      guarded(() => (panel.selectedTensor = name));
      await settle();
    }
    tensor.label = projector.selectedLabelOption ?? null;
    Object.assign(tensor, guarded(() => lookAtPoints(projector)));
    tensor.searched = guarded(() => searchAll(projector));
    tensor.colors = guarded(() => lookAtColors(projector));
    await settle();
    tensor.errors = takeErrors();
    tensor.bookmarks = [];
    const states = projector.bookmarkPanel.savedStates;
    tensor.hiding = states?.findIndex((state) => state?.filteredPoints != null) ?? -1;
    for (let number = 0; number < (states?.length ?? 0); number++) {
      const bookmark = { title: states[number]?.label ?? null };
      tensor.bookmarks.push(bookmark);
      guarded(() => projector.bookmarkPanel.loadSavedState(number));
      await settle();
      Object.assign(bookmark, guarded(() => lookAtBookmark(projector)));
      bookmark.errors = takeErrors();
    }
    // Clicks each bookmark once more, after all others.
    for (const [number, bookmark] of tensor.bookmarks.entries()) {
      guarded(() => projector.bookmarkPanel.loadSavedState(number));
      await settle();
      bookmark.errors.push(...takeErrors());
    }
  }
  await clickAcross(projector, answer.tensors);
  return answer;
}

(async () => {
  for (;;) {
    readLine();
    writeLine(await show());
  }
})();
