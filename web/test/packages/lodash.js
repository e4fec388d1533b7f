import { groupBy, sortBy, debounce, cloneDeep, merge, template, chunk, isEqual } from "lodash-es";
export default () => ({ g: groupBy([1, 2, 3, 4], (n) => n % 2 ? "odd" : "even"), s: sortBy([{ a: 2 }, { a: 1 }], "a"), m: merge({ a: { b: 1 } }, { a: { c: 2 } }), c: chunk([1, 2, 3], 2), e: isEqual(cloneDeep({ a: [1] }), { a: [1] }), d: typeof debounce(() => 1, 10) });
