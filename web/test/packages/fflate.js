import { gzipSync, gunzipSync, strToU8, strFromU8, zipSync, unzipSync } from "fflate";
export default () => { const z = gzipSync(strToU8("hello ".repeat(1000))); const zip = unzipSync(zipSync({ "a.txt": strToU8("inside") })); return { smaller: z.length < 200, back: strFromU8(gunzipSync(z)).length, zip: strFromU8(zip["a.txt"]) }; };
