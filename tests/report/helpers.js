// What the tests of the page call in it.
window.test = {
  // Give a field a value, as somebody would who types or chooses.
  set(selector, value, index = 0) {
    const field = document.querySelectorAll(selector)[index];
    field.value = value;
    field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
  },
  choose(selector, number) {
    const field = document.querySelector(selector);
    field.selectedIndex = number;
    field.dispatchEvent(new Event("change"));
  },
  middle(selector) {
    const box = document.querySelector(selector).getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  },
  rows: () => [...document.querySelector("#errors table").tBodies[0].rows].map((row) => [...row.cells].map((c) => c.textContent)),
  texts: (selector) => [...document.querySelectorAll(selector)].map((s) => [...s.querySelectorAll("text")].map((t) => t.textContent)),
  // Number of different bytes that are drawn on the first canvas.
  drawn() {
    const canvas = document.querySelector("canvas");
    return new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size;
  },
  nameless: () => [...document.querySelectorAll("button, select, input, a, [role=img], [role=region]")].filter((node) =>
    !(node.textContent.trim() || node.getAttribute("aria-label") || (node.labels && node.labels.length) || node.hidden)).length,
  // The smallest contrast of text with its ground (WCAG 2: 4.5 to 1 is asked for), and where it is.
  contrast() {
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgb = (colour) => {
      probe.clearRect(0, 0, 1, 1);
      probe.fillStyle = colour;
      probe.fillRect(0, 0, 1, 1);
      return [...probe.getImageData(0, 0, 1, 1).data];
    };
    const light = (colour) => {
      const [r, g, b] = colour.map((x) => x / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (node) => {
      for (; node; node = node.parentElement) {
        const colour = rgb(getComputedStyle(node).backgroundColor);
        if (colour[3] === 255) return colour;
      }
      return [255, 255, 255];
    };
    let worst = 99, where = "";
    for (const node of document.querySelectorAll("h1, h2, p, td, th, .pair, .pair i, summary, button, label, nav a")) {
      const levels = [rgb(getComputedStyle(node).color), ground(node)].map((colour) => light(colour.slice(0, 3)));
      const ratio = (Math.max(...levels) + 0.05) / (Math.min(...levels) + 0.05);
      if (ratio < worst) [worst, where] = [ratio, node.outerHTML.slice(0, 120)];
    }
    return [worst, where];
  },
};
