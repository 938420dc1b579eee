// Gradio runs this text, and no module, when it has built a component of ours: ui/scripts.py appends the arguments. It
// fetches the component's module and hands it what Gradio gives; where the module does not come, the page says so.

/**
 * @param {{ element: HTMLElement, props: any, server: any }} gradio
 * @param {string} address of a module with a function `start`, as seen from the page's root
 */
(gradio, address) => {
  const SLOW_MS = 10000;
  const BLOCKED = "The page's scripts could not be loaded, so its buttons do nothing. Please reload the page; "
    + "if that does not help, look whether your browser or network blocks scripts.";
  const SLOW = "The page still waits for its scripts, without which its buttons do nothing. If it takes long, please reload the page.";
  const message = /** @type {HTMLElement} */ (gradio.element.querySelector("[role=status]"));
  const others = [...gradio.element.firstElementChild?.children ?? []].filter((node) => !node.contains(message));

  /** @param {string} text the reason why nothing can be used; "" where all can */
  const block = (text) => {
    message.textContent = text;
    message.classList.toggle("problem", text !== "");
    for (const node of others) /** @type {HTMLElement} */ (node).inert = text !== "";
  };
  const timer = setTimeout(() => block(SLOW), SLOW_MS);
  import(new URL(address, document.baseURI).href).then(({ start }) => {
    clearTimeout(timer);
    block("");
    start(gradio);
  }).catch((error) => {
    clearTimeout(timer);
    console.error(error);
    block(BLOCKED);
  });
}
