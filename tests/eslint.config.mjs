// The rules for the page's scripts: `npx eslint --config tests/eslint.config.mjs ui/web` (tests/test_web.py runs it).
import globals from "globals";

export default [{
  languageOptions: { globals: globals.browser },
  rules: {
    "complexity": ["error", 12],
    "eqeqeq": "error",
    "max-lines": ["error", 350],
    "max-lines-per-function": ["error", 60],
    "no-undef": "error",
    "no-unused-vars": "error",
    "no-shadow": ["error", { builtinGlobals: true, allow: ["event", "name", "top"] }],
    "prefer-const": "error",
  },
}];
