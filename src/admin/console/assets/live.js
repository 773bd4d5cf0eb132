// Keeps what a page shows up to date: every few seconds it is asked for again, and the parts marked data-live are exchanged.
"use strict";
(() => {
  const parts = () => document.querySelectorAll("[data-live]");
  if (parts().length === 0) return;
  const period = 5000;
  let paused = false;

  const button = document.createElement("button");
  button.type = "button";
  const label = () => { button.textContent = paused ? "Follow changes" : "Stop following changes"; };
  label();
  button.addEventListener("click", () => { paused = !paused; label(); });
  document.querySelector("footer").append(button);

  const busy = (part) => {
    const selection = document.getSelection();
    return part.contains(document.activeElement)
      || (selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode));
  };

  const refresh = async () => {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts()) {
        const now = page.getElementById(part.id);
        if (now !== null && !busy(part) && now.innerHTML !== part.innerHTML) part.replaceWith(document.adoptNode(now));
      }
    } catch {
      // The node is away, or the session is over: what is shown stays, and the next time may be better.
    }
  };
  setInterval(refresh, period);
})();
