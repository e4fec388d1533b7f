import { nanoid, customAlphabet } from "nanoid";
export default () => ({ n: nanoid().length, c: /^[ab]{5}$/.test(customAlphabet("ab", 5)()) });
