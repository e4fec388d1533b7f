(function () {
  "use strict";
  return { get performance() { return globalThis.performance; }, constants: {} };
});
