// Files that are dropped or chosen → the service → their findings on the page.

import { answer } from "./findings.js";

const at = (id) => document.getElementById(id);
const TRIES = 20;
let token = null; // in memory only: gone when the page is closed
let stopped = null; // ends what is going on

/** A request to the service; what it refuses becomes an error with its words. */
async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  throw await problem(response.status, await response.text());
}

async function problem(status, text) {
  if (status === 401) at("token").hidden = false;
  let said = `The service answered with ${status}.`;
  try {
    const { received, expected, what_to_do: advice } = JSON.parse(text);
    said = `${received} ${expected} ${advice}`;
  } catch { /* not one of its own answers */ }
  return Object.assign(new Error(said), { status });
}

function say(text) {
  at("said").textContent = text;
}

function busy(on) {
  at("work").hidden = !on;
  at("far").textContent = "";
  at("send").classList.toggle("busy", on);
  for (const input of [at("files"), at("folder")]) input.disabled = on;
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Send a form and tell how much has been sent, which fetch does not. */
function upload(form) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/findings?wait=1");
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) at("progress").value = event.loaded / event.total;
    };
    request.onload = async () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText));
      const error = await problem(request.status, request.responseText);
      error.after = Number(request.getResponseHeader("Retry-After")) || null;
      reject(error);
    };
    request.onerror = () => reject(new Error("The service cannot be reached, or ended the connection. Is it still running?"));
    request.onabort = () => reject(new Error("Stopped."));
    stopped = () => request.abort();
    request.send(form);
  });
}

async function uploaded(form) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await upload(form);
    } catch (error) {
      if (!error.after || tries === TRIES) throw error;
      say(`The service is busy; again in ${error.after} s.`);
      let going = true;
      stopped = () => { going = false; };
      await pause(error.after);
      if (!going) throw new Error("Stopped.");
    }
  }
}

/** Wait until all is looked at. */
async function finished(found) {
  let going = true;
  stopped = async () => {
    going = false;
    await ask(`/v1/findings/${found.id}`, { method: "DELETE" }).catch(() => null);
  };
  say("Looking …");
  while (found.state === "queued" || found.state === "running") {
    const { looked_at: done, total } = found;
    if (total) at("progress").value = done / total;
    else at("progress").removeAttribute("value");
    // Beside the bar, not where a screen reader would read out every step.
    at("far").textContent = found.state === "queued" ? "waiting for its turn" : `${done} ${total ? `of ${total} ` : ""}looked at`;
    await pause(0.4);
    if (!going) throw new Error("Stopped.");
    found = await (await ask(`/v1/findings/${found.id}`)).json();
  }
  if (found.problem) throw new Error(found.problem.detail);
  return found;
}

async function send(files) {
  if (!files.length || !at("work").hidden) return;
  at("failed").textContent = "";
  busy(true);
  try {
    say(`Sending ${files.length === 1 ? "1 file" : `${files.length} files`} …`);
    const form = new FormData();
    for (const { file, name } of files) form.append("files", file, name);
    show(await finished(await uploaded(form)));
  } catch (error) {
    say("");
    at("failed").textContent = error.message;
  } finally {
    busy(false);
    at("progress").value = 0;
    at("send").reset();
  }
}

function show(found) {
  const place = `/v1/findings/${found.id}/`, kept = new Map();
  const section = answer(found, {
    async load(path, image) {
      image.dataset.wanted = path;
      try {
        if (!kept.has(path)) kept.set(path, ask(place + path).then((response) => response.blob()).then(URL.createObjectURL));
        const url = await kept.get(path);
        if (image.dataset.wanted === path) image.src = url; // unless another was asked for meanwhile
      } catch (error) {
        kept.delete(path);
        if (section.isConnected) at("failed").textContent = error.message; // else it was deleted meanwhile
      }
    },
    async save(path, name) {
      try {
        say(`Preparing ${name} …`);
        const url = URL.createObjectURL(await (await ask(place + path)).blob());
        Object.assign(document.createElement("a"), { href: url, download: name }).click();
        say(`${name} is there.`);
        setTimeout(() => URL.revokeObjectURL(url), 60000);
      } catch (error) {
        say("");
        at("failed").textContent = error.message;
      }
    },
    async remove(element) {
      await ask(place.slice(0, -1), { method: "DELETE" }).catch(() => null); // it may be gone already
      for (const each of kept.values()) each.then(URL.revokeObjectURL, () => null);
      element.remove();
      say("Deleted.");
      at("files").focus();
    },
  });
  at("results").prepend(section);
  const counts = Object.entries(found.decisions).map(([name, number]) => `${number} ${name}`);
  say(`Done: ${counts.join(", ") || "nothing"}.`);
}

/** All files of what was dropped, folders to any depth. */
async function dropped(items) {
  const files = [], entries = [];
  for (const item of items) { // all at once: they are gone with the event
    const entry = item.webkitGetAsEntry?.(), file = entry ? null : item.getAsFile();
    if (entry) entries.push(entry);
    else if (file) files.push({ file, name: file.name });
  }
  while (entries.length) {
    const entry = entries.shift();
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      files.push({ file, name: entry.fullPath.replace(/^\//, "") });
      continue;
    }
    const reader = entry.createReader();
    for (;;) { // it gives a hundred at a time
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) break;
      entries.push(...some);
    }
  }
  return files;
}

const chosen = (input) => [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));

async function about() {
  try {
    const { model, operating_point: point, limits } = await (await ask("/v1/model")).json();
    at("model").textContent = `Model ${model}, operating point “${point}”.`;
    const minutes = Math.max(1, Math.round(limits.retention_seconds / 60));
    at("retention").textContent = minutes === 60 ? "an hour" : `${minutes} min`;
    at("token").hidden = true;
    at("failed").textContent = "";
  } catch (error) {
    if (error.status !== 401) at("failed").textContent = error.message;
    else if (token) at("failed").textContent = "That is not the token of this service.";
  }
}

for (const id of ["files", "folder"]) at(id).addEventListener("change", (event) => send(chosen(event.target)));
at("stop").addEventListener("click", () => stopped?.());
at("token").addEventListener("submit", (event) => {
  event.preventDefault();
  token = new FormData(event.target).get("token").trim();
  event.target.reset();
  about();
});
at("send").addEventListener("submit", (event) => event.preventDefault());
// The whole window takes what is dropped: beside the frame, a browser would open the file instead.
addEventListener("dragover", (event) => {
  event.preventDefault();
  at("send").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) at("send").classList.remove("over");
});
addEventListener("drop", async (event) => {
  event.preventDefault();
  at("send").classList.remove("over");
  try {
    send(await dropped(event.dataTransfer.items));
  } catch (error) {
    at("failed").textContent = `What was dropped cannot be read: ${error.message}`;
  }
});
about();
