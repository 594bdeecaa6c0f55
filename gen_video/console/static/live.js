// Cards of jobs that wait or run: their progress as it comes, and their result at the end.

const MOST_STREAMS = 3; // a browser opens six connections to one host, and the page needs some
const MINUTE = 90;
const streams = new Map();

/** Follow every card on the page that is not followed yet; the newest stand first. */
export function followCards() {
  for (const [id, stream] of streams) {
    if (!document.getElementById(id)?.dataset.live) stop(id, stream);
  }
  for (const card of document.querySelectorAll("[data-live]")) {
    if (streams.size >= MOST_STREAMS) return;
    if (!streams.has(card.id)) follow(card);
  }
}

function stop(id, stream) {
  stream.close();
  streams.delete(id);
}

function follow(card) {
  const stream = new EventSource(card.dataset.live);
  const pace = { startedAt: 0, firstStep: 0 };
  streams.set(card.id, stream);
  stream.addEventListener("progress", (event) => showProgress(card, JSON.parse(event.data), pace));
  stream.addEventListener("preview", (event) => showPreview(card, JSON.parse(event.data)));
  stream.addEventListener("end", () => {
    stop(card.id, stream);
    showEnd(card);
  });
  stream.addEventListener("error", () => {
    if (stream.readyState !== EventSource.CLOSED) return; // it comes again by itself
    stop(card.id, stream);
    window.setTimeout(followCards, 5000);
  });
}

async function showEnd(card) {
  if (card.closest("[data-reload-at-end]")) {
    window.location.reload();
    return;
  }
  await window.htmx.ajax("GET", card.dataset.card, { target: `#${card.id}`, swap: "outerHTML" });
}

function showProgress(card, progress, pace) {
  const wait = card.querySelector(".job-wait");
  if (!wait) return;
  const words = JSON.parse(wait.dataset.words);
  const stage = stageWords(words, progress);
  wait.querySelector("[data-progress]").value = progress.percent;
  wait.querySelector("[data-stage]").textContent = stage;
  wait.querySelector("[data-eta]").textContent = timeWords(words, secondsLeft(progress, pace));
  if (progress.stage !== "queued") showRunning(card, words);
  const told = wait.querySelector("[data-told]");
  // Readers of screens hear of stages, not of every step.
  if (told.dataset.told !== progress.stage) {
    told.dataset.told = progress.stage;
    told.textContent = stage;
  }
}

function showRunning(card, words) {
  const badge = card.querySelector(".badge");
  badge.textContent = words.running;
  badge.className = "badge badge-busy";
}

function stageWords(words, progress) {
  if (progress.stage === "queued" && progress.queue_position !== null) {
    const before = progress.queue_position - 1;
    return before > 0 ? words.place.replace("{n}", before) : words.next;
  }
  const text = words[progress.stage] ?? words.starting;
  return text.replace("{n}", progress.step).replace("{m}", progress.steps);
}

/** What the service says, else what the steps so far make likely; null when nothing is known. */
function secondsLeft(progress, pace) {
  if (progress.stage !== "denoising") {
    pace.startedAt = 0;
    return progress.eta_seconds;
  }
  const now = performance.now();
  if (!pace.startedAt) {
    pace.startedAt = now;
    pace.firstStep = progress.step;
  }
  const done = progress.step - pace.firstStep;
  if (done <= 0) return progress.eta_seconds;
  return (((now - pace.startedAt) / done) * (progress.steps - progress.step)) / 1000;
}

function timeWords(words, seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < MINUTE) return words.seconds.replace("{n}", Math.max(1, Math.round(seconds)));
  return words.minutes.replace("{n}", Math.round(seconds / 60));
}

function showPreview(card, preview) {
  const picture = card.querySelector("[data-preview]");
  if (!picture) return;
  picture.src = preview.src;
  picture.hidden = false;
  card.querySelector(".job-canvas").classList.add("has-preview");
}


document.addEventListener("htmx:afterSettle", followCards);
followCards();
