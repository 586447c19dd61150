// Runs before the first paint, so that a chosen theme never flashes and pages know that scripts work.
(() => {
  const root = document.documentElement;
  root.classList.replace("no-js", "js");
  try {
    const theme = localStorage.getItem("eventflow.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage can be forbidden; the system's theme is a good one.
  }
})();
