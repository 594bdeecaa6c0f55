// The playground: fields that help each other, and results as they come.

import "./live.js";
import "./pictures.js";
import "./storyboard.js";
import "./tabs.js";

const MOST_SEED = 2 ** 31;

document.addEventListener("click", (event) => {
  const preset = event.target.closest("[data-sizes] [data-width]");
  if (preset) {
    setSize(preset.dataset.width, preset.dataset.height);
    markSize();
  }
  if (event.target.closest("[data-roll]")) setSeed(rollSeed());
  if (event.target.closest("[data-lock]")) toggleSeed();
  const example = event.target.closest("[data-example]");
  if (example) useExample(example.textContent);
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-slider]")) {
    event.target.closest(".slider").querySelector("output").value = event.target.value;
  }
  if (event.target.matches("#width, #height")) markSize();
  if (event.target.matches("#seed")) markSeed();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest("[data-studio]");
  form?.requestSubmit();
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "results") showNewest();
  if (event.detail.target.id === "fields" || event.detail.elt?.id === "fields") fitReference();
});

function setSize(width, height) {
  document.getElementById("width").value = width;
  document.getElementById("height").value = height;
}

/** Press the preset that the fields say. */
function markSize() {
  const [width, height] = ["width", "height"].map((id) => document.getElementById(id).value);
  for (const preset of document.querySelectorAll("[data-sizes] [data-width]")) {
    const isChosen = preset.dataset.width === width && preset.dataset.height === height;
    preset.setAttribute("aria-pressed", String(isChosen));
  }
}

function rollSeed() {
  return Math.floor(Math.random() * MOST_SEED);
}

function setSeed(seed) {
  document.getElementById("seed").value = seed;
  markSeed();
}

/** Keep the seed of the newest result; once more for another one each time. */
function toggleSeed() {
  if (document.getElementById("seed").value !== "") setSeed("");
  else setSeed(document.querySelector("[data-results] [data-seed]")?.dataset.seed ?? rollSeed());
}

function markSeed() {
  const isLocked = document.getElementById("seed").value !== "";
  const around = document.querySelector("[data-seed-field]");
  const button = around.querySelector("[data-lock]");
  const icon = around.querySelector(isLocked ? "[data-locked]" : "[data-unlocked]");
  button.setAttribute("aria-pressed", String(isLocked));
  button.replaceChildren(icon.content.cloneNode(true));
}

function useExample(text) {
  const prompt = document.querySelector("[data-prompt]");
  prompt.value = text;
  prompt.focus();
}

/** Only the newest result stands large; on a small screen it is scrolled to. */
function showNewest() {
  document.querySelector("[data-first]")?.remove();
  const results = document.getElementById("results");
  if (results.getBoundingClientRect().top > window.innerHeight * 0.6) {
    results.scrollIntoView({ behavior: "smooth", block: "start" });
  }
}

/** A model that takes no picture is not sent one. */
function fitReference() {
  const reference = document.querySelector("[data-reference]");
  const fields = document.querySelector("[data-fields]");
  if (!reference || !fields) return;
  const isTaken = fields.dataset.takesReference === "yes";
  reference.hidden = !isTaken;
  reference.disabled = !isTaken;
}

if (document.querySelector("[data-studio]")) fitReference();
