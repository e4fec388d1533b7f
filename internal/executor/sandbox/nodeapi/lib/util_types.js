(function (host, require) { "use strict"; return require("internal:types"); });
