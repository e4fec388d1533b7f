// URLPattern for scripts: bundled into the sandbox, which loads it for code that names it.
import { URLPattern } from "urlpattern-polyfill/urlpattern";

export default URLPattern;
