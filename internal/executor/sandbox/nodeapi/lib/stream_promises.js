(function (host, require) { "use strict"; return require("stream").promises; });
