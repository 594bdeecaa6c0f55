// What every page does: toasts, copying, menus, and requests that carry the page's token.

const toasts = document.getElementById("toasts");
const TOAST_MILLISECONDS = 8000;

/** The token that requests which change something carry. */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

/** Tell something at the edge of the page; texts are shown as they are, never as markup. */
export function toast(title, message = "") {
  const part = document.getElementById("toast-template").content.cloneNode(true);
  part.querySelector("strong").textContent = title;
  part.querySelector("p").textContent = message;
  toasts.prepend(part);
}

/**
 * Send a request that changes something; the answer must be JSON or empty.
 *
 * A refusal is told in a toast and thrown, with the answer's body as `problem`.
 */
export async function send(url, { method = "POST", body = undefined } = {}) {
  const isForm = body instanceof FormData;
  const headers = { Accept: "application/json", "X-CSRF-Token": csrfToken() };
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  const answer = await fetch(url, {
    method,
    headers,
    body: isForm || body === undefined ? body : JSON.stringify(body),
  });
  if (answer.status === 401) window.location.assign("/sign-in");
  const text = await answer.text();
  const content = text ? JSON.parse(text) : null;
  if (!answer.ok) {
    const problem = new Error(content?.detail ?? answer.statusText);
    problem.status = answer.status;
    problem.problem = content;
    throw problem;
  }
  return content;
}

document.addEventListener("click", async (event) => {
  const close = event.target.closest("[data-close]");
  if (close) close.closest("[data-toast]")?.remove();
  if (event.target.closest("[data-back]")) window.history.back();
  const copy = event.target.closest("[data-copy-button]");
  if (copy) await copyText(copy);
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

/** Copy the text beside a button, and say so on the button for a moment. */
async function copyText(button) {
  const text = button.closest("[data-copy]").querySelector("code, [data-copy-text]").textContent;
  await navigator.clipboard.writeText(text);
  const label = button.querySelector("span");
  const before = label.textContent;
  label.textContent = button.dataset.done;
  window.setTimeout(() => {
    label.textContent = before;
  }, 2000);
}

new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) {
      if (node.nodeType === Node.ELEMENT_NODE) {
        window.setTimeout(() => node.remove(), TOAST_MILLISECONDS);
      }
    }
  }
}).observe(toasts, { childList: true });
