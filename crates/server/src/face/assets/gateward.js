// What the pages can do better with a script than without one. Every page works when it never runs.
"use strict";

// Show and hide a password.
for (const button of document.querySelectorAll(".reveal")) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.setAttribute("aria-label", visible ? button.dataset.hideLabel : button.dataset.showLabel);
    button.textContent = visible ? button.dataset.hide : button.dataset.show;
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    show(input.type === "password");
    input.focus();
  });
  // A visible password must not be remembered as ordinary text by the browser.
  if (input.form) input.form.addEventListener("submit", () => show(false));
}

// How hard a password is to guess, judged by the server: it knows the list of common ones.
for (const input of document.querySelectorAll("input[data-strength]")) {
  const meter = document.getElementById(input.dataset.strength);
  const words = meter.querySelector(".strength-words");
  let timer = 0;
  let latest = 0;

  const say = (score) => {
    meter.hidden = score === null;
    meter.className = score === null ? "strength" : "strength strength-" + score;
    words.textContent = score === null ? "" : meter.getAttribute("data-word-" + score);
  };
  const ask = async () => {
    const question = ++latest;
    const known = Array.from(document.querySelectorAll("input[data-known]"), (field) => field.value);
    try {
      const answer = await fetch("/api/v1/password/strength", {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ password: input.value, context: known.filter((value) => value !== "") }),
      });
      const { score } = answer.ok ? await answer.json() : { score: null };
      if (question === latest) say(Number.isInteger(score) && score >= 0 && score <= 4 ? score : null);
    } catch {
      if (question === latest) say(null);
    }
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    if (input.value === "") {
      latest += 1;
      say(null);
    } else {
      timer = setTimeout(ask, 250);
    }
  });
}

// One click sends a form once. Coming back to the page by the history makes it usable again.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  if (event.target.dataset.sent) {
    event.preventDefault();
    return;
  }
  event.target.dataset.sent = "true";
  for (const button of event.target.querySelectorAll("button[type=submit]")) {
    button.setAttribute("aria-disabled", "true");
  }
});
addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button[aria-disabled]")) button.removeAttribute("aria-disabled");
  }
});

// Copy a link that is shown only once.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const input = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", async () => {
      input.select();
      await navigator.clipboard.writeText(input.value);
      button.textContent = button.dataset.copied;
    });
  }
}
